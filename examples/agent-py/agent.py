"""An agent: exchanges its task token for one that the tickets API takes, and asks the API."""

import requests
from jwskate import Jwk
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
answer = requests.get(
    "http://127.0.0.1:9002/search?for=Friday", headers={"Authorization": f"Bearer {token.access_token}"}, timeout=10,
)
print(answer.status_code, answer.text, end="")
