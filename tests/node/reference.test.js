// docs/reference.md has the parameters that the code reads, and the members of the answers that a running server gives.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { decodeJwt } from 'jose';
import * as client from 'openid-client';
import { ROOT } from './blocks.js';
import { signIn, startProvider } from './provider.js';
import { World } from './world.js';

const page = readFileSync(path.join(ROOT, 'docs/reference.md'), 'utf8');

// The names in the first column of the table under a heading.
function named(heading) {
  const section = page.split(/^##+ /m).find((text) => text.startsWith(`${heading}\n`));
  assert.ok(section, `docs/reference.md has no section ${heading}`);
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name).sort();
}

// The names of the parameters that the files below `src` read, without their tests.
function parsed(...places) {
  const names = new Set();
  for (const place of places) {
    const whole = path.join(ROOT, 'src', place);
    const files = place.endsWith('.rs') ? [whole] : readdirSync(whole, { recursive: true }).map((name) => path.join(whole, name));
    for (const file of files.filter((name) => name.endsWith('.rs') && !name.includes('tests'))) {
      const code = readFileSync(file, 'utf8').split('#[cfg(test)]')[0];
      for (const [, name] of code.matchAll(/params\s*\.(?:get|all)\("(\w+)"\)/g)) names.add(name);
    }
  }
  return [...names].sort();
}

test('the parameters of the page are those that the code reads', () => {
  const authentication = named('Client authentication');
  const actor = ['actor_token', 'actor_token_type']; // a credential without client authentication
  assert.deepEqual(parsed('client_auth', 'client_auth.rs').filter((name) => !actor.includes(name)), authentication);
  assert.deepEqual(named('Parameters of `/token`'), parsed('oauth', 'endpoint/token'));
  assert.deepEqual(named('Parameters of `/introspect`'), parsed('endpoint/introspect.rs'));
  assert.deepEqual(named('Parameters of `/revoke`'), parsed('endpoint/revoke.rs'));
  const every = ['Client authentication', 'Parameters of `/token`', 'Parameters of `/introspect`', 'Parameters of `/revoke`'].flatMap(named);
  assert.deepEqual(parsed('.').filter((name) => !every.includes(name)), [], 'no other part reads parameters');
});

test('each reason of the page is one that is answered', () => {
  const reasons = new Set([...readFileSync(path.join(ROOT, 'docs/errors.md'), 'utf8').matchAll(/^\| \d{3} \| `\w+` \| `(\w+)` \|/gm)].map(([, reason]) => reason));
  const mentioned = [...page.matchAll(/\((`[a-z_]+`(?:, `[a-z_]+`)*)\)/g)].flatMap(([, list]) => list.match(/\w+/g)).filter((word) => word.includes('_'));
  assert.ok(mentioned.length > 30);
  assert.deepEqual(mentioned.filter((reason) => !reasons.has(reason)), []);
});

describe('a running server', () => {
  let provider;
  let world;
  before(async () => {
    provider = await startProvider();
    world = await World.create('SQLite', provider.issuer);
    await world.start();
  });
  after(async () => {
    await world?.end();
    await provider?.stop();
  });

  const configured = (id) => client.discovery(
    new URL(world.issuer), id, undefined, client.PrivateKeyJwt({ key: world.keys[id], kid: id }),
    { algorithm: 'oauth2', execute: [client.allowInsecureRequests] },
  );
  const exchange = async (parameters) => client.genericGrantRequest(
    await configured('assistant'), 'urn:ietf:params:oauth:grant-type:token-exchange',
    { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token', audience: 'tickets', ...parameters },
  );

  test('its answers have the members of the page', async () => {
    const idToken = world.saw(await signIn(provider.issuer));
    const answer = await exchange({ subject_token: idToken, scope: 'tickets:search' });
    assert.deepEqual(Object.keys(answer).sort(), named('Answer of `/token`'));

    const seen = await client.tokenIntrospection(await configured('tickets-api'), world.saw(answer.access_token));
    const members = named('Answer of `/introspect`');
    assert.deepEqual(Object.keys(seen).filter((name) => !members.includes(name)), []);
    assert.deepEqual(Object.keys(decodeJwt(answer.access_token)).filter((name) => !(name in seen)), []);

    const refused = await exchange({ subject_token: idToken, scope: 'tickets:refund' }).catch((error) => error.cause);
    const most = named('A refusal');
    assert.deepEqual(Object.keys(refused).filter((name) => !most.includes(name)), []);
    assert.equal(refused.reason, 'assurance_insufficient');
    assert.equal(typeof refused.acr_values, 'string');
  });

  test('its documents have the members of the page', async () => {
    const get = async (url) => (await fetch(url)).json();
    const metadata = await get(`${world.issuer}/.well-known/oauth-authorization-server`);
    // `mtls.test.js` has a server with these.
    const ofMutualTls = ['mtls_endpoint_aliases', 'tls_client_certificate_bound_access_tokens'];
    assert.deepEqual([...Object.keys(metadata), ...ofMutualTls].sort(), named('Members of the metadata'));
    const [key] = (await get(`${world.issuer}/jwks`)).keys;
    assert.deepEqual(Object.keys(key).sort(), named('Members of a key'));
  });

  test('its management listener answers as the page says', async () => {
    const get = async (path) => (await fetch(`http://127.0.0.1:${world.managementPort}${path}`)).text();
    assert.equal(await get('/healthz'), 'ok\n');
    assert.equal(await get('/readyz'), 'ready\n');
    assert.match(await get('/metrics'), /^# HELP deputy_\w+ /m);
  });
});
