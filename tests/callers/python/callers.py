"""The callers of PyPI, unchanged. Each command reads its part as JSON from standard input and prints the answer as JSON.

A part has `issuer`, `subject_token`, `audience`, `scope`, and what the command needs besides.
"""

import asyncio
import json
import sys
import tempfile
import warnings
from pathlib import Path

ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


def told(answer):
    """Prints an answer."""
    print(json.dumps(answer))


def in_a_file(text):
    """A file that a library reads by its path."""
    path = Path(tempfile.mkdtemp(prefix="deputy-caller-")) / "token"
    path.write_text(text, encoding="utf-8")
    return str(path)


async def agentsts(part):
    """kagent: the plugin exchanges the token of a session when Google's framework begins to run an agent."""
    warnings.simplefilter("ignore")
    from agentsts.adk import ADKSTSIntegration, ADKTokenPropagationPlugin
    from google.adk.agents import LlmAgent
    from google.adk.models import BaseLlm, LlmResponse
    from google.adk.plugins.base_plugin import BasePlugin
    from google.adk.runners import Runner
    from google.adk.sessions import InMemorySessionService
    from google.genai import types

    class Model(BaseLlm):
        """Says one thing."""

        async def generate_content_async(self, llm_request, stream=False):
            yield LlmResponse(content=types.Content(role="model", parts=[types.Part(text="done")]))

    class Headers(BasePlugin):
        """Notes what a tool of this session would send."""

        def __init__(self, plugin):
            super().__init__("headers")
            self.plugin, self.seen = plugin, {}

        async def after_agent_callback(self, *, agent, callback_context):
            self.seen = self.plugin.header_provider(callback_context)

    integration = ADKSTSIntegration(
        part["issuer"] + "/.well-known/oauth-authorization-server",
        service_account_token_path=in_a_file(part["platform_token"]),
    )
    plugin = ADKTokenPropagationPlugin(integration, resource=part.get("resource"))
    headers = Headers(plugin)
    sessions = InMemorySessionService()
    runner = Runner(
        app_name="booking",
        agent=LlmAgent(name="booking", model=Model(model="none")),
        session_service=sessions,
        plugins=[plugin, headers],
    )
    state = {"headers": {"Authorization": "Bearer " + part["subject_token"]}}
    session = await sessions.create_session(app_name="booking", user_id="ann", state=state)
    message = types.Content(role="user", parts=[types.Part(text="two seats")])
    async for _ in runner.run_async(user_id="ann", session_id=session.id, new_message=message):
        pass
    sent = headers.seen.get("Authorization", "")
    told({"access_token": sent.removeprefix("Bearer ")} if sent else {"error": "no token"})


async def keycard(part):
    """Keycard's SDK: by secret, or by the platform's token alone."""
    from keycardai.oauth import AsyncClient
    from keycardai.oauth.exceptions import OAuthProtocolError
    from keycardai.oauth.http.auth import BasicAuth, NoneAuth
    from keycardai.oauth.server.credentials import FileTokenSource, WorkloadIdentity
    from keycardai.oauth.types.models import TokenExchangeRequest

    by_secret = "client" in part
    auth = BasicAuth(part["client"], part["secret"]) if by_secret else NoneAuth()
    async with AsyncClient(part["issuer"], auth=auth) as client:
        if by_secret:
            request = TokenExchangeRequest(
                subject_token=part["subject_token"], resource=part["audience"], scope=part.get("scope"),
                **({"subject_token_type": ID_TOKEN} if part.get("id_token") else {}),
            )
        else:
            credential = WorkloadIdentity(FileTokenSource(in_a_file(part["platform_token"])))
            request = await credential.prepare_token_exchange_request(client, part["subject_token"], part["audience"])
        try:
            answer = await client.exchange_token(request)
        except OAuthProtocolError as refused:
            return told({"error": refused.error})
    told({
        "access_token": answer.access_token, "token_type": answer.token_type, "expires_in": answer.expires_in,
        "issued_token_type": answer.issued_token_type,
    })


def google_auth(part):
    """An identity pool of google-auth, from a file as a deployment has it."""
    from google.auth import exceptions, identity_pool
    from google.auth.transport.requests import Request

    info = {
        "type": "external_account",
        "audience": part["audience"],
        "subject_token_type": part["subject_token_type"],
        "token_url": part["issuer"] + "/token",
        "client_id": part["client"],
        "client_secret": part["secret"],
        "credential_source": {"file": in_a_file(part["subject_token"])},
    }
    credentials = identity_pool.Credentials.from_info(info).with_scopes([part["scope"]])
    try:
        credentials.refresh(Request())
    except exceptions.OAuthError as refused:
        return told({"error": str(refused)})
    told({"access_token": credentials.token, "is_valid": credentials.valid})


def requests_oauth2client(part):
    """requests-oauth2client with a key, and with a proof of another one if asked to."""
    from requests_oauth2client import OAuth2Client, PrivateKeyJwt
    from requests_oauth2client.exceptions import EndpointError

    auth = PrivateKeyJwt(part["client"], part["jwk"], alg="ES256", aud=part["issuer"])
    client = OAuth2Client(part["issuer"] + "/token", auth=auth, testing=True)
    try:
        token = client.token_exchange(
            subject_token=part["subject_token"], subject_token_type=ID_TOKEN, audience=part["audience"],
            scope=part["scope"], dpop=part.get("dpop", False),
        )
    except EndpointError as refused:
        return told({"error": refused.error})
    told({"access_token": token.access_token, "token_type": token.token_type, "expires_in": token.expires_in})


COMMANDS = {
    "agentsts": agentsts, "keycard": keycard, "google-auth": google_auth, "requests-oauth2client": requests_oauth2client,
}

if __name__ == "__main__":
    outcome = COMMANDS[sys.argv[1]](json.load(sys.stdin))
    if asyncio.iscoroutine(outcome):
        asyncio.run(outcome)
