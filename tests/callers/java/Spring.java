import java.time.Instant;
import org.springframework.security.authentication.TestingAuthenticationToken;
import org.springframework.security.core.authority.AuthorityUtils;
import org.springframework.security.oauth2.client.OAuth2AuthorizationContext;
import org.springframework.security.oauth2.client.TokenExchangeOAuth2AuthorizedClientProvider;
import org.springframework.security.oauth2.client.endpoint.RestClientTokenExchangeTokenResponseClient;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.core.OAuth2AuthorizationException;
import org.springframework.security.oauth2.jwt.Jwt;

/** A resource server of Spring Security that exchanges the JWT with which a request arrived. */
final class Spring {
    private Spring() {}

    /** {@code issuer client secret accessToken scope [audience]}; prints the answer, as JSON. */
    public static void main(String[] arguments) {
        var registration = ClientRegistration.withRegistrationId("tickets")
                .clientId(arguments[1])
                .clientSecret(arguments[2])
                .clientAuthenticationMethod(ClientAuthenticationMethod.CLIENT_SECRET_BASIC)
                .authorizationGrantType(AuthorizationGrantType.TOKEN_EXCHANGE)
                .tokenUri(arguments[0] + "/token")
                .scope(arguments[4])
                .build();
        var provider = new TokenExchangeOAuth2AuthorizedClientProvider();
        if (arguments.length > 5) {
            var client = new RestClientTokenExchangeTokenResponseClient();
            client.setParametersCustomizer(parameters -> parameters.set("audience", arguments[5]));
            provider.setAccessTokenResponseClient(client);
        }
        var jwt = Jwt.withTokenValue(arguments[3])
                .header("alg", "ES256")
                .subject("ann")
                .issuedAt(Instant.now())
                .expiresAt(Instant.now().plusSeconds(300))
                .build();
        var user = new TestingAuthenticationToken(jwt, jwt, AuthorityUtils.NO_AUTHORITIES);
        user.setAuthenticated(true);
        var context = OAuth2AuthorizationContext.withClientRegistration(registration).principal(user).build();
        try {
            var token = provider.authorize(context).getAccessToken();
            System.out.printf("{\"access_token\": \"%s\", \"token_type\": \"%s\", \"scope\": \"%s\"}%n",
                    token.getTokenValue(), token.getTokenType().getValue(), String.join(" ", token.getScopes()));
        } catch (OAuth2AuthorizationException refused) {
            System.out.printf("{\"error\": \"%s\"}%n", refused.getError().getErrorCode());
        }
    }
}
