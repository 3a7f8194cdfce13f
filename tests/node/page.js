// A world whose Deputy runs with a configuration from a page of docs/callers, for the caller of that page.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SignJWT, calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { World } from './world.js';

const TLS = '[tls]\ncertificate_file = "certs/server.pem"\nkey_file = "certs/server-key.pem"\n';
// The pages of platforms whose credentials are as in the page's first recorded request.
const RECORDED = ['aws', 'azure', 'gcp', 'github-actions'];
const CLUSTER = 'https://kubernetes.default.svc.cluster.local';
const PAGES = new URL('../../docs/callers/', import.meta.url);

// The configuration with this number on a page, counted from 0.
function configuration(page, number) {
  const text = readFileSync(new URL(`${page}.md`, PAGES), 'utf8');
  return text.split('```toml\n# deputy.toml')[number + 1].split('\n```')[0];
}

// What the platform of a page says of an agent.
function workloadOf(page) {
  if (RECORDED.includes(page)) {
    return JSON.parse(readFileSync(new URL(`../callers/requests/${page}.json`, import.meta.url), 'utf8')).requests[0].platform_token;
  }
  return {
    sub: 'system:serviceaccount:agents:booking',
    'kubernetes.io': {
      namespace: 'agents',
      pod: { name: 'booking-7f', uid: 'a24c5c1e-8d3f-4c53-8a80-4f3a5a0e7b11' },
      serviceaccount: { name: 'booking', uid: 'e7b07a5e-2b0b-44a1-8b13-4b5f1f0a9c22' },
    },
  };
}

// Starts Deputy as the page says, with `provider` in the place of the page's. Gives the world, and what its parties hold.
// With `byTls`, it is served by TLS.
export async function stage(database, page, number, provider, byTls = false) {
  const world = await World.create(database, provider);
  if (byTls) await world.certify();
  const listen = (await readFile(world.config, 'utf8')).match(/\[listen\]\n[^[]*/)[0];
  const issuerOf = 'issuer = "https://login.example"';
  let toml = configuration(page, number)
    .replace(/\[tls\]\n(.+\n)+/, byTls ? `${listen}\n${TLS}` : listen)
    .replace(issuerOf, `issuer = "${provider}"\nnetwork = "private"`)
    .replace(/^preset +?= "(?:aws|azure|gcp|github)"$/m, (line) => `${line}\njwks_file = "cluster.jwks.json"`)
    .replaceAll('"travel-app"', '"booking-app"')
    .replaceAll('https://deputy.example', world.issuer);
  const audience = toml.match(/^audience +?= "(.*?)"/m)?.[1];
  if (world.databaseUrl) toml = `${toml}\n[database]\nurl = "${world.databaseUrl}"\n`;

  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  // As `deputy key make` names a key.
  const name = { kid: await calculateJwkThumbprint(await exportJWK(publicKey)), alg: 'ES256', use: 'sig' };
  const cluster = await generateKeyPair('RS256');
  const secret = randomBytes(32).toString('base64url');
  const files = {
    'deputy.toml': toml,
    'cluster.jwks.json': JSON.stringify({ keys: [{ ...await exportJWK(cluster.publicKey), kid: 'cluster-1', alg: 'RS256' }] }),
  };
  for (const [, file] of toml.matchAll(/^jwks_file +?= "(clients\/.*?)"/gm)) {
    files[file] = JSON.stringify({ keys: [{ ...await exportJWK(publicKey), ...name }] });
  }
  for (const [, file] of toml.matchAll(/^secret_file +?= "(.*?)"/gm)) files[file] = secret;
  for (const [file, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(world.directory, file)), { recursive: true });
    await writeFile(path.join(world.directory, file), text, { mode: 0o600 });
  }
  await world.start();
  return {
    world, secret, audience, privateKey,
    jwk: { ...await exportJWK(privateKey), ...name },
    // What the cluster projects into a pod of the account `booking`, or another platform gives to an agent.
    platformToken: async () => {
      const workload = workloadOf(page);
      const issuer = toml.match(/\[\[workload_issuer\]\][^[]*?\bissuer +?= "(.*?)"/)?.[1] ?? CLUSTER;
      return world.saw(await new SignJWT(workload).setProtectedHeader({ alg: 'RS256', kid: 'cluster-1' })
        .setIssuer(issuer).setAudience(workload.aud ?? [world.issuer])
        .setIssuedAt().setNotBefore('0s').setExpirationTime('10m').setJti(randomBytes(8).toString('hex'))
        .sign(cluster.privateKey));
    },
  };
}
