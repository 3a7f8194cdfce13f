// An agent: exchanges its task token for one that the tickets API takes, and asks the API.
import { readFile } from 'node:fs/promises';
import { importPKCS8 } from 'jose';
import * as client from 'openid-client';

const key = await importPKCS8(await readFile('clients/assistant.pem', 'utf8'), 'ES256');
const authentication = client.PrivateKeyJwt(key);
const deputy = await client.discovery(new URL('https://localhost:8443'), 'assistant', undefined, authentication, { algorithm: 'oauth2' });
const { access_token } = await client.genericGrantRequest(deputy, 'urn:ietf:params:oauth:grant-type:token-exchange', {
  subject_token: (await readFile('task-token.jwt', 'utf8')).trim(),
  subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  audience: 'tickets',
  scope: 'tickets:search',
});
const answer = await fetch('http://127.0.0.1:9002/search?for=Friday', { headers: { authorization: `Bearer ${access_token}` } });
console.log(answer.status, await answer.text());
