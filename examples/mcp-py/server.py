"""An MCP server that takes Deputy's access tokens: the target `tickets`."""

import jwt
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.fastmcp import FastMCP

ISSUER = "https://localhost:8443"


class Deputy(TokenVerifier):
    """Checks tokens offline, by the keys that Deputy publishes."""

    keys = jwt.PyJWKClient(f"{ISSUER}/jwks")

    async def verify_token(self, token):
        try:
            if jwt.get_unverified_header(token)["typ"] != "at+jwt":
                return None
            key = self.keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, algorithms=["ES256"], issuer=ISSUER, audience="tickets")
        except (jwt.PyJWTError, KeyError):
            return None
        return AccessToken(
            token=token, client_id=claims["client_id"], scopes=claims["scope"].split(), expires_at=claims["exp"],
            subject=claims["sub"],
        )


server = FastMCP(
    "tickets",
    host="127.0.0.1",
    port=9002,
    token_verifier=Deputy(),
    auth=AuthSettings(issuer_url=ISSUER, resource_server_url="http://127.0.0.1:9002", required_scopes=["tickets:search"]),
)


@server.tool()
def search(day: str) -> str:
    """Finds seats."""
    return f"two seats on {day}"


server.run("streamable-http")
