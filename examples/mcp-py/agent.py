"""An agent that calls a tool of an MCP server with a token of Deputy's."""

import asyncio

from jwskate import Jwk
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from requests_oauth2client import OAuth2Client, PrivateKeyJwt

issuer = "https://localhost:8443"
key = Jwk.from_pem(open("clients/assistant.pem").read()).with_kid_thumbprint()
deputy = OAuth2Client(f"{issuer}/token", auth=PrivateKeyJwt("assistant", key, alg="ES256", aud=issuer))
token = deputy.token_exchange(
    subject_token=open("task-token.jwt").read().strip(),
    subject_token_type="urn:ietf:params:oauth:token-type:access_token",
    audience="tickets",
    scope="tickets:search",
)


async def ask():
    headers = {"Authorization": f"Bearer {token.access_token}"}
    async with (
        streamablehttp_client("http://127.0.0.1:9002/mcp", headers=headers) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        answer = await session.call_tool("search", {"day": "Friday"})
        print(answer.content[0].text)


asyncio.run(ask())
