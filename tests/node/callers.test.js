// Callers that nobody here wrote, from PyPI, npm and Maven: each runs unchanged against the real binary, which has the
// configuration of the caller's page in docs/callers. A certified provider signs the user in.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { calculateJwkThumbprint, decodeJwt } from 'jose';
import * as client from 'openid-client';
import { stage } from './page.js';
import { accessToken, signIn, startProvider } from './provider.js';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token';
const TICKETS = 'https://tickets.example';
const SCOPE = 'tickets:search';
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

// Runs a program with an input, and reads the JSON that it prints last.
async function run(program, parameters, input = '') {
  const child = spawn(program, parameters, { stdio: 'pipe', env: { ...process.env, PYTHONWARNINGS: 'ignore' } });
  let [printed, said] = ['', ''];
  child.stdout.on('data', (chunk) => { printed += chunk; });
  child.stderr.on('data', (chunk) => { said += chunk; });
  child.stdin.end(input);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  assert.equal(code, 0, said);
  return JSON.parse(printed.trim().split('\n').at(-1));
}

const python = (command, part) => run(
  process.env.DEPUTY_TEST_PYTHON,
  [fileURLToPath(new URL('../callers/python/callers.py', import.meta.url)), command],
  JSON.stringify(part),
);
const java = (caller, ...parameters) => run('java', ['-cp', process.env.DEPUTY_TEST_JAVA_CALLERS, caller, ...parameters]);

describe('stock callers', () => {
  let provider;
  let world;
  before(async () => { provider = await startProvider(); });
  after(async () => { await provider?.stop(); });

  // The page's Deputy, for the length of one test.
  async function on(page, number, play) {
    const staged = await stage('SQLite', page, number, provider.issuer);
    world = staged.world;
    try {
      await play({ ...staged, issuer: world.issuer });
    } finally {
      await world.end();
    }
  }

  // What every caller of a target has to have got.
  function reached(answer) {
    assert.equal(typeof answer.access_token, 'string', JSON.stringify(answer));
    const claims = decodeJwt(world.saw(answer.access_token));
    assert.deepEqual([claims.aud, claims.scope, claims.sub], [TICKETS, SCOPE, 'ann']);
    assert.match(claims.act.sub, /^agent_/);
    return claims;
  }

  const userToken = async (audience) => world.saw(await accessToken(provider.issuer, audience));
  const idToken = async () => world.saw(await signIn(provider.issuer));

  test('openid-client in a pod gets a bound token, and the token of the pod is of no use without the key', () => (
    on('kubernetes', 0, async ({ issuer, audience, platformToken }) => {
      const token = await platformToken();
      const projected = (_server, _client, body) => {
        body.set('client_assertion_type', JWT_BEARER);
        body.set('client_assertion', token);
      };
      const config = await client.discovery(new URL(issuer), 'booking-agent', undefined, projected, {
        algorithm: 'oauth2', execute: [client.allowInsecureRequests],
      });
      const ask = async (keys) => client.genericGrantRequest(config, GRANT, {
        subject_token: await userToken(audience), subject_token_type: ACCESS_TOKEN, audience: TICKETS, scope: SCOPE,
      }, keys && { DPoP: client.getDPoPHandle(config, keys) });
      const [own, foreign] = [await client.randomDPoPKeyPair('ES256'), await client.randomDPoPKeyPair('ES256')];
      const { cnf, act } = reached(await ask(own));
      assert.equal(cnf.jkt, await calculateJwkThumbprint(await crypto.subtle.exportKey('jwk', own.publicKey)));
      assert.deepEqual(reached(await ask(own)).act, act, 'the same pod, the same agent');
      for (const stolen of [foreign, undefined]) {
        await assert.rejects(ask(stolen), (refused) => {
          assert.deepEqual([refused.status, refused.error, refused.cause.reason], [400, 'invalid_request', 'credential_pinned']);
          return true;
        });
      }
    })
  ));

  test('kagent exchanges the token of a session by its plugin for the agent framework', () => (
    on('kagent', 0, async ({ issuer, audience, platformToken }) => {
      const part = { issuer, subject_token: await userToken(audience), platform_token: await platformToken() };
      reached(await python('agentsts', { ...part, resource: [TICKETS] }));
      assert.deepEqual(await python('agentsts', part), { error: 'no token' }, 'without a resource, no target is named');
    })
  ));

  test('the SDK of Keycard exchanges by secret', () => (
    on('keycard', 0, async ({ issuer, audience, secret }) => {
      const answer = await python('keycard', {
        issuer, client: 'mcp-server', secret, subject_token: await userToken(audience), audience: TICKETS,
      });
      reached(answer);
      assert.equal(answer.issued_token_type, ACCESS_TOKEN);
    })
  ));

  test('the SDK of Keycard exchanges by the token of the platform alone', () => (
    on('keycard', 1, async ({ issuer, audience, platformToken }) => {
      const part = { issuer, subject_token: await userToken(audience), audience: TICKETS };
      reached(await python('keycard', { ...part, platform_token: await platformToken() }));
    })
  ));

  test('google-auth renews the credentials of an identity pool', () => (
    on('google-auth', 0, async ({ issuer, secret }) => {
      const part = { issuer, client: 'google-auth-app', secret, audience: TICKETS, scope: SCOPE };
      const answer = await python('google-auth', {
        ...part, subject_token: await idToken(), subject_token_type: ID_TOKEN,
      });
      reached(answer);
      assert.equal(answer.is_valid, true);
      const refused = await python('google-auth', {
        ...part, scope: 'tickets:refund', subject_token: await idToken(), subject_token_type: ID_TOKEN,
      });
      assert.match(refused.error, /invalid_scope/);
    })
  ));

  test('requests-oauth2client exchanges with a key', () => (
    on('libraries', 0, async ({ issuer, jwk }) => {
      const part = { issuer, client: 'assistant', jwk, subject_token: await idToken(), audience: TICKETS, scope: SCOPE };
      const answer = await python('requests-oauth2client', part);
      reached(answer);
      assert.equal(answer.token_type, 'Bearer');
      assert.deepEqual(await python('requests-oauth2client', { ...part, scope: 'tickets:refund' }), { error: 'invalid_scope' });
    })
  ));

  test('requests-oauth2client gets a token that is bound to its own key', () => (
    on('libraries', 0, async ({ issuer, jwk }) => {
      const part = { issuer, client: 'assistant', jwk, subject_token: await idToken(), audience: TICKETS, scope: SCOPE };
      const answer = await python('requests-oauth2client', { ...part, dpop: true });
      assert.equal(answer.token_type, 'DPoP');
      assert.match(reached(answer).cnf.jkt, /^[\w-]{43}$/);
    })
  ));

  test('openid-client gets a token that is bound to its own key', () => (
    on('libraries', 0, async ({ issuer, privateKey, jwk }) => {
      const authentication = client.PrivateKeyJwt({ key: privateKey, kid: jwk.kid });
      const config = await client.discovery(new URL(issuer), 'assistant', undefined, authentication, {
        algorithm: 'oauth2', execute: [client.allowInsecureRequests],
      });
      assert.ok(config.serverMetadata().dpop_signing_alg_values_supported.includes('ES256'));
      const keys = await client.randomDPoPKeyPair('ES256', { extractable: true });
      const answer = await client.genericGrantRequest(config, GRANT, {
        subject_token: await idToken(), subject_token_type: ID_TOKEN, audience: TICKETS, scope: SCOPE,
      }, { DPoP: client.getDPoPHandle(config, keys) });
      assert.equal(answer.token_type, 'dpop');
      const proven = await crypto.subtle.exportKey('jwk', keys.publicKey);
      assert.equal(reached(answer).cnf.jkt, await calculateJwkThumbprint(proven));
    })
  ));

  test('Nimbus exchanges with a key', () => (
    on('libraries', 0, async ({ issuer, jwk }) => {
      const parameters = [issuer, 'assistant', JSON.stringify(jwk), await idToken(), TICKETS];
      const answer = await java('Nimbus', ...parameters, SCOPE);
      reached(answer);
      assert.equal(answer.issued_token_type, ACCESS_TOKEN);
      assert.equal((await java('Nimbus', ...parameters, 'tickets:refund')).error, 'invalid_scope');
    })
  ));

  test('Nimbus gets a token that is bound to its own key', () => (
    on('libraries', 0, async ({ issuer, jwk }) => {
      const answer = await java('Nimbus', issuer, 'assistant', JSON.stringify(jwk), await idToken(), TICKETS, SCOPE, 'dpop');
      assert.equal(answer.token_type, 'DPoP');
      assert.match(reached(answer).cnf.jkt, /^[\w-]{43}$/);
    })
  ));

  test('Spring Security exchanges the JWT with which a request arrived', () => (
    on('spring-security', 0, async ({ issuer, audience, secret }) => {
      const parameters = [issuer, 'booking-service', secret, await userToken(audience), SCOPE];
      reached(await java('Spring', ...parameters, TICKETS));
      assert.equal((await java('Spring', ...parameters)).error, 'invalid_target', 'without a customizer, no target is named');
    })
  ));
});
