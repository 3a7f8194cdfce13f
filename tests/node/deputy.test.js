// The main job through the real binary, driven by software that nobody here wrote: a certified OpenID
// provider signs the user in, and two OAuth client libraries do the exchanges. On both databases.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import { signIn, startProvider } from './provider.js';
import { World, databases } from './world.js';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const JWT = 'urn:ietf:params:oauth:token-type:jwt';

const hop0 = (idToken, audience, scope) => ({
  subject_token: idToken, subject_token_type: ID_TOKEN, audience, scope, purpose: 'two seats for tonight',
});
const later = (token, audience, scope) => ({
  subject_token: token, subject_token_type: ACCESS_TOKEN, audience, scope,
});

// `openid-client`: one configuration a Deputy client.
async function viaOpenidClient(world, id) {
  const authentication = client.PrivateKeyJwt({ key: world.keys[id], kid: id });
  const config = await client.discovery(new URL(world.issuer), id, undefined, authentication, {
    algorithm: 'oauth2', execute: [client.allowInsecureRequests],
  });
  return {
    metadata: config.serverMetadata(),
    exchange: (parameters) => client.genericGrantRequest(config, GRANT, parameters),
    introspect: (token) => client.tokenIntrospection(config, token),
    revoke: (token) => client.tokenRevocation(config, token),
  };
}

// `oauth4webapi`: the same by its lower-level calls.
async function viaOauth4webapi(world, id) {
  const insecure = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(world.issuer);
  const as = await oauth.processDiscoveryResponse(
    issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
  );
  const self = { client_id: id };
  const authentication = oauth.PrivateKeyJwt({ key: world.keys[id], kid: id });
  return {
    metadata: as,
    exchange: async (parameters) => oauth.processGenericTokenEndpointResponse(
      as, self, await oauth.genericTokenEndpointRequest(as, self, authentication, GRANT, parameters, insecure),
    ),
    introspect: async (token) => oauth.processIntrospectionResponse(
      as, self, await oauth.introspectionRequest(as, self, authentication, token, insecure),
    ),
    revoke: async (token) => oauth.processRevocationResponse(
      await oauth.revocationRequest(as, self, authentication, token, insecure),
    ),
  };
}

// Deputy signs with EdDSA, and the targets of the second part get opaque tokens.
const EDDSA = [['[tokens]\n', '[keys]\nsigning_algorithm = "EdDSA"\n\n[tokens]\n']];
const OPAQUE = ['agent-b', 'age-agent'].map((id) => [
  `[[target]]\nidentifier = "${id}"\n`, `[[target]]\nidentifier = "${id}"\ntoken_format = "opaque"\n`,
]);

const libraries = { 'openid-client': viaOpenidClient, oauth4webapi: viaOauth4webapi };

// Whether a resource server that checks offline takes the token (RFC 9068 §4).
async function checkOffline(world, metadata, token, audience) {
  const request = new Request('http://127.0.0.1/seats', { headers: { authorization: `Bearer ${token}` } });
  return oauth.validateJwtAccessToken(metadata, request, audience, { [oauth.allowInsecureRequests]: true });
}

for (const database of databases) {
  describe(`on ${database}`, () => {
    let provider;
    let world;
    before(async () => {
      provider = await startProvider();
      world = await World.create(database, provider.issuer);
      await world.start();
    });
    after(async () => {
      await world?.end();
      await provider?.stop();
    });

    test(`a user who signed in at a certified provider is answered for by a sub-agent (${database})`, async () => {
      const idToken = world.saw(await signIn(provider.issuer));
      const login = decodeJwt(idToken);
      assert.equal(login.acr, 'phr');
      assert.deepEqual(login.amr, ['pwd', 'hwk', 'mfa']);
      assert.equal(typeof login.auth_time, 'number');
      assert.equal(typeof login.birthdate, 'string');

      const assistant = await viaOpenidClient(world, 'assistant');
      const age = await viaOpenidClient(world, 'age-agent');
      const task = await assistant.exchange(hop0(idToken, world.issuer, 'tickets:search tickets:book age_over_18'));
      world.saw(task.access_token);
      assert.equal(task.issued_token_type, ACCESS_TOKEN);
      assert.equal(typeof task.task, 'string');

      const booking = await assistant.exchange(later(task.access_token, 'tickets', 'tickets:book'));
      const handedOn = await assistant.exchange(later(task.access_token, 'age-agent', 'age_over_18'));
      const answer = await age.exchange({
        ...later(world.saw(handedOn.access_token), 'tickets', 'age_over_18'),
        actor_token: await world.workloadToken(), actor_token_type: JWT,
      });

      const booked = decodeJwt(world.saw(booking.access_token));
      const said = decodeJwt(world.saw(answer.access_token));
      assert.equal(said.age_over_18, true);
      assert.equal('birthdate' in said || 'email' in said, false);
      assert.match(said.sub, /^pw_/);
      assert.deepEqual([said.sub, said.txn], [booked.sub, booked.txn]);
      assert.deepEqual(said.act.act, booked.act);
      assert.ok(answer.expires_in <= 120);

      // A task token is for Deputy alone.
      await assert.rejects(checkOffline(world, assistant.metadata, task.access_token, world.issuer));
    });

    for (const [library, through] of Object.entries(libraries)) {
      test(`${library} discovers, exchanges, introspects, revokes and reads a refusal (${database})`, async () => {
        const idToken = world.saw(await signIn(provider.issuer));
        const assistant = await through(world, 'assistant');
        const age = await through(world, 'age-agent');
        const api = await through(world, 'tickets-api');
        assert.equal(assistant.metadata.issuer, world.issuer);
        assert.ok(assistant.metadata.grant_types_supported.includes(GRANT));

        const direct = await assistant.exchange(hop0(idToken, 'tickets', 'tickets:search tickets:book'));
        const handedOn = await assistant.exchange(hop0(idToken, 'age-agent', 'age_over_18'));
        assert.equal(direct.task, handedOn.task, 'the same ID token joins its task');
        assert.deepEqual([direct.token_type, direct.issued_token_type], ['bearer', ACCESS_TOKEN]);
        const onward = await age.exchange({
          ...later(world.saw(handedOn.access_token), 'tickets', 'age_over_18'),
          actor_token: await world.workloadToken(), actor_token_type: JWT,
        });

        for (const token of [direct, onward].map((issued) => world.saw(issued.access_token))) {
          const claims = await checkOffline(world, assistant.metadata, token, 'tickets');
          const seen = await api.introspect(token);
          assert.equal(seen.active, true);
          for (const name of ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope', 'txn', 'act']) {
            assert.deepEqual(seen[name], claims[name], name);
          }
        }
        await assert.rejects(checkOffline(world, assistant.metadata, direct.access_token, 'age-agent'));

        await assistant.revoke(handedOn.access_token);
        assert.deepEqual(await api.introspect(onward.access_token), { active: false });
        assert.equal((await api.introspect(direct.access_token)).active, true);

        const refusal = await assistant.exchange(hop0(idToken, 'tickets', 'tickets:refund')).then(
          () => assert.fail('granted'), (error) => error,
        );
        assert.equal(refusal.error, 'invalid_request');
        assert.equal(refusal.status, 400);
        assert.equal(refusal.cause.reason, 'assurance_insufficient');
        assert.equal(refusal.cause.acr_values, 'in-person');
        assert.equal(typeof refusal.cause.request_id, 'string');
      });
    }
  });

  describe(`with EdDSA and opaque tokens, on ${database}`, () => {
    let provider;
    let world;
    before(async () => {
      provider = await startProvider();
      world = await World.create(database, provider.issuer, [...EDDSA, ...OPAQUE]);
      await world.start();
    });
    after(async () => {
      await world?.end();
      await provider?.stop();
    });

    for (const [library, through] of Object.entries(libraries)) {
      test(`${library} and jose verify EdDSA tokens and introspect opaque ones (${database})`, async () => {
        const idToken = world.saw(await signIn(provider.issuer));
        const assistant = await through(world, 'assistant');
        const b = await through(world, 'agent-b');
        const api = await through(world, 'tickets-api');

        const task = await assistant.exchange(hop0(idToken, world.issuer, 'tickets:search'));
        assert.equal(decodeProtectedHeader(world.saw(task.access_token)).alg, 'EdDSA');
        const search = await assistant.exchange(later(task.access_token, 'tickets', 'tickets:search'));
        const claims = await checkOffline(world, assistant.metadata, world.saw(search.access_token), 'tickets');
        const keys = createRemoteJWKSet(new URL(assistant.metadata.jwks_uri));
        const verified = await jwtVerify(search.access_token, keys, {
          issuer: world.issuer, audience: 'tickets', typ: 'at+jwt', algorithms: ['EdDSA'],
        });
        assert.deepEqual(verified.payload, claims);

        const handedOn = await assistant.exchange(later(task.access_token, 'agent-b', 'tickets:search'));
        const opaque = world.saw(handedOn.access_token);
        assert.match(opaque, /^dpt_at_[A-Za-z0-9_-]{56}$/);
        assert.deepEqual([handedOn.token_type, handedOn.issued_token_type], ['bearer', ACCESS_TOKEN]);
        assert.throws(() => decodeJwt(opaque));
        await assert.rejects(checkOffline(world, assistant.metadata, opaque, 'agent-b'));
        const seen = await api.introspect(opaque);
        assert.deepEqual([seen.active, seen.iss, seen.aud, seen.scope], [true, world.issuer, 'agent-b', 'tickets:search']);
        assert.deepEqual([seen.client_id, seen.act], ['assistant', claims.act]);
        assert.match(seen.sub, /^pw_/);

        const onward = await b.exchange(later(opaque, 'tickets', 'tickets:search'));
        const further = await checkOffline(world, b.metadata, world.saw(onward.access_token), 'tickets');
        assert.deepEqual([further.sub, further.act.act], [claims.sub, claims.act]);

        await assistant.revoke(opaque);
        assert.deepEqual(await api.introspect(opaque), { active: false });
        assert.deepEqual(await api.introspect(onward.access_token), { active: false });
        assert.equal((await api.introspect(search.access_token)).active, true);
      });
    }
  });
}
