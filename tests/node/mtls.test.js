// Mutual TLS by a library that nobody here wrote: `openid-client` finds the endpoints in `mtls_endpoint_aliases` and
// authenticates by nothing but its certificate. Node has no way to make certificates, so that `openssl` does.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import https from 'node:https';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createHash, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import { decodeJwt } from 'jose';
import * as client from 'openid-client';
import { signIn, startProvider } from './provider.js';
import { World, databases, freePort } from './world.js';

const run = promisify(execFile);
const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const CLIENT = `
[[client]]
id = "tls-agent"
authentication = "tls_client_auth"
tls_client_auth_subject_dn = "CN=tls-agent,O=Example"
tls_client_certificate_bound_access_tokens = true
scopes = ["tickets:search"]
targets = ["tickets"]

[tls]
certificate_file = "certs/server.pem"
key_file = "certs/server-key.pem"
client_ca_file = "clients-ca.pem"
`;

// An authority and a certificate for the client, beside the configuration.
async function issue(directory) {
  const openssl = (...words) => run('openssl', words, { cwd: directory });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=Authority', '-keyout', 'clients-ca.key', '-out', 'clients-ca.pem');
  await openssl('req', ...key, '-subj', '/O=Example/CN=tls-agent', '-keyout', 'agent.key', '-out', 'agent.csr');
  // Without an extension it would be a certificate of version 1, which fails the handshake.
  await writeFile(path.join(directory, 'agent.ext'), 'extendedKeyUsage = clientAuth\n');
  await openssl('x509', '-req', '-in', 'agent.csr', '-extfile', 'agent.ext', '-days', '2', '-CA', 'clients-ca.pem', '-CAkey', 'clients-ca.key', '-CAcreateserial', '-out', 'agent.pem');
  const read = (name) => readFile(path.join(directory, name));
  return { cert: await read('agent.pem'), key: await read('agent.key') };
}

// `fetch` over TLS with these certificates, for the few requests that the library makes.
const fetchWith = (tls) => async (url, { method, headers, body }) => {
  const request = https.request(url, { method, headers, ...tls });
  request.end(body?.toString());
  const [response] = await once(request, 'response');
  const chunks = await response.toArray();
  return new Response(chunks.length ? Buffer.concat(chunks) : null, { status: response.statusCode, headers: response.headers });
};

for (const database of databases) {
  describe(`on ${database}`, () => {
    let provider;
    let world;
    let own;
    before(async () => {
      provider = await startProvider();
      world = await World.create(database, provider.issuer);
      await world.certify();
      own = await issue(world.directory);
      const toml = await readFile(world.config, 'utf8');
      const management = `management = "127.0.0.1:${world.managementPort}"`;
      await writeFile(world.config, toml
        .replace(/^issuer = .*$/m, `issuer = "${world.issuer}"`)
        .replace(management, `${management}\nmtls = "127.0.0.1:${await freePort()}"`)
        .replace('"age-agent", "couriers"]', '"age-agent", "couriers", "tls-agent"]'));
      await appendFile(world.config, CLIENT);
      await world.start();
    });
    after(async () => {
      await world?.end();
      await provider?.stop();
    });

    async function configured(tls) {
      const options = {
        algorithm: 'oauth2',
        [client.customFetch]: fetchWith({ ca: await readFile(world.certificates), ...tls }),
      };
      const metadata = { use_mtls_endpoint_aliases: true };
      return client.discovery(new URL(world.issuer), 'tls-agent', metadata, client.TlsClientAuth(), options);
    }

    const exchange = async (config) => client.genericGrantRequest(config, GRANT, {
      subject_token: world.saw(await signIn(provider.issuer)),
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      audience: 'tickets',
      scope: 'tickets:search',
    });

    test(`openid-client authenticates by its certificate, and its token is bound to it (${database})`, async () => {
      const config = await configured(own);
      const { token_endpoint: usual, mtls_endpoint_aliases: aliases } = config.serverMetadata();
      assert.notEqual(aliases.token_endpoint, usual);
      assert.equal(config.serverMetadata().tls_client_certificate_bound_access_tokens, true);
      const token = await exchange(config);
      const claims = decodeJwt(world.saw(token.access_token));
      const hash = createHash('sha256').update(new X509Certificate(own.cert).raw).digest('base64url');
      assert.deepEqual(claims.cnf, { 'x5t#S256': hash });
      assert.equal(claims.client_id, 'tls-agent');
      await client.tokenRevocation(config, token.access_token);
    });

    test(`without its certificate it is nobody (${database})`, async () => {
      const config = await configured({});
      await assert.rejects(exchange(config), { status: 401 });
    });
  });
}
