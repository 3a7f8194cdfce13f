import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenResponse;
import com.nimbusds.oauth2.sdk.auth.JWTAuthenticationClaimsSet;
import com.nimbusds.oauth2.sdk.auth.PrivateKeyJWT;
import com.nimbusds.oauth2.sdk.dpop.DefaultDPoPProofFactory;
import com.nimbusds.oauth2.sdk.id.Audience;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.token.TokenTypeURI;
import com.nimbusds.oauth2.sdk.token.TypelessAccessToken;
import com.nimbusds.oauth2.sdk.tokenexchange.TokenExchangeGrant;
import java.net.URI;

/** Exchanges an ID token with Nimbus' SDK. */
final class Nimbus {
    private Nimbus() {}

    /** {@code issuer client jwk idToken audience scope [dpop]}; prints the answer. With {@code dpop}, it proves a new key. */
    public static void main(String[] arguments) throws Exception {
        var issuer = arguments[0];
        var key = ECKey.parse(arguments[2]);
        var endpoint = URI.create(issuer + "/token");
        var claims = new JWTAuthenticationClaimsSet(new ClientID(arguments[1]), new Audience(issuer));
        var authentication = new PrivateKeyJWT(claims, JWSAlgorithm.ES256, key.toECPrivateKey(), key.getKeyID(), null, null, null);
        var grant = new TokenExchangeGrant(new TypelessAccessToken(arguments[3]), TokenTypeURI.ID_TOKEN);
        var request = new TokenRequest.Builder(endpoint, authentication, grant)
                .scope(Scope.parse(arguments[5]))
                .customParameter("audience", arguments[4])
                .build();
        var http = request.toHTTPRequest();
        if (arguments.length > 6) {
            var proofs = new DefaultDPoPProofFactory(new ECKeyGenerator(Curve.P_256).generate(), JWSAlgorithm.ES256);
            http.setDPoP(proofs.createDPoPJWT("POST", endpoint));
        }
        var response = TokenResponse.parse(http.send());
        System.out.println(response.indicatesSuccess()
                ? response.toSuccessResponse().toJSONObject()
                : response.toErrorResponse().getErrorObject().toJSONObject());
    }
}
