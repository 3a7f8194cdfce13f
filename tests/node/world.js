// A world on disk with the real binary in it: keys of all parties, deputy.toml, a database, a log.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { createWriteStream, readFileSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';

const run = promisify(execFile);
const WORLD = new URL('../world/', import.meta.url);
const definition = readFileSync(new URL('deputy.toml', WORLD), 'utf8');
const CLIENTS = [...definition.matchAll(/^jwks_file = "clients\/(.*)\.json"$/gm)].map(([, id]) => id).concat('tickets-api');
const WORKLOADS = 'https://workloads.example';
const CHANGES = [
  ['authentication = "client_secret_basic"\nallow_secret = true\nsecret_file = "secrets/tickets-api"',
    'jwks_file = "clients/tickets-api.json"\ngrants = []'],
  ['"tickets:book" = {', '"tickets:refund" = { assurance = "in_person" }, "tickets:book" = {'],
  ['"tickets:cancel", "age_over_18"', '"tickets:cancel", "tickets:refund", "age_over_18"'],
  ['[[identity_provider.assurance]]',
    '[[identity_provider.assurance]]\nname = "in_person"\nany_of = [{ claim = "acr", in = ["in-person"] }]\n'
    + '[[identity_provider.assurance]]'],
];

// Made-up personal data that must come out nowhere; shared with the Rust tests.
export const canary = Object.fromEntries(
  readFileSync(new URL('../support/canaries.txt', import.meta.url), 'utf8')
    .split('\n').filter((line) => line.includes(' = "'))
    .map((line) => line.match(/^(\w+) = "(.*)"$/).slice(1)),
);

// The databases to run on. Without a PostgreSQL nothing is left out in silence: the run fails.
export const databases = ['SQLite', 'PostgreSQL'];

export async function listen(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}`;
}

export async function closeServer(server) {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}

// Below the ports that the system hands to outgoing connections, which might take a restarting server's.
export async function freePort() {
  for (;;) {
    const port = 30000 + Math.floor(Math.random() * 2700);
    const server = http.createServer();
    const isFree = await new Promise((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await closeServer(server);
    return port;
  }
}

async function psql(statement) {
  const { DEPUTY_TEST_POSTGRES_URL: server, DEPUTY_TEST_PG_BIN: bin } = process.env;
  if (!server) throw new Error('DEPUTY_TEST_POSTGRES_URL is not set: ./test starts a PostgreSQL and sets it');
  await run(path.join(bin ?? '', 'psql'), ['--quiet', '--dbname', server, '--command', statement]);
}

export class World {
  // Everything but the running process. `provider` is the issuer of the identity provider; `changes` are further ones of the
  // configuration.
  static async create(database, provider, changes = []) {
    const world = new World();
    world.changes = [...CHANGES, ...changes];
    world.seen = []; // every token that went over the wire
    world.directory = await mkdtemp(path.join(tmpdir(), 'deputy-node-'));
    [world.port, world.managementPort] = [await freePort(), await freePort()];
    world.issuer = `http://127.0.0.1:${world.port}`;
    if (database === 'PostgreSQL') {
      world.databaseName = `node_${randomUUID().replaceAll('-', '')}`;
      await psql(`CREATE DATABASE ${world.databaseName}`);
      const url = new URL(process.env.DEPUTY_TEST_POSTGRES_URL);
      url.pathname = `/${world.databaseName}`;
      world.databaseUrl = url.href;
    }
    world.keys = {};
    await mkdir(path.join(world.directory, 'clients'));
    for (const [name, file] of [...CLIENTS.map((id) => [id, `clients/${id}.json`]), ['workloads', 'workloads.json']]) {
      const { privateKey, publicKey } = await generateKeyPair('ES256');
      world.keys[name] = privateKey;
      const jwk = { ...await exportJWK(publicKey), kid: name, alg: 'ES256', use: 'sig' };
      await writeFile(path.join(world.directory, file), JSON.stringify({ keys: [jwk] }));
    }
    await cp(new URL('secrets', WORLD), path.join(world.directory, 'secrets'), { recursive: true });
    await mkdir(path.join(world.directory, 'data'), { mode: 0o700 });
    const masterKey = path.join(world.directory, 'data', 'master.key');
    await writeFile(masterKey, randomUUID().replaceAll('-', ''));
    await chmod(masterKey, 0o600);
    world.config = path.join(world.directory, 'deputy.toml');
    await writeFile(world.config, world.#toml(provider));
    return world;
  }

  async start() {
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('DEPUTY_')));
    const log = createWriteStream(path.join(this.directory, 'deputy.log'));
    this.process = spawn(process.env.DEPUTY_TEST_BINARY, ['serve', '--config', this.config], {
      env: environment, stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const output of [this.process.stdout, this.process.stderr]) output.pipe(log, { end: false });
    for (let wait = 0; wait < 1500; wait += 1) {
      if (this.process.exitCode !== null) break;
      const ready = await fetch(`http://127.0.0.1:${this.managementPort}/readyz`).catch(() => undefined);
      if (ready?.ok) return;
      await pause(20);
    }
    throw new Error(`deputy does not serve:\n${await readFile(path.join(this.directory, 'deputy.log'), 'utf8')}`);
  }

  // Has Deputy serve by TLS, with a certificate for development.
  async certify() {
    await run(process.env.DEPUTY_TEST_BINARY, ['init', '--missing', '--dev-certs', '--dir', this.directory], { env: { PATH: process.env.PATH } });
    this.issuer = this.issuer.replace('http:', 'https:');
    this.certificates = path.join(this.directory, 'certs/ca.pem');
  }

  // Remembers a token and gives it back.
  saw(token) {
    this.seen.push(token);
    return token;
  }

  // What a fresh instance of the age-verification agent proves itself with.
  async workloadToken() {
    return this.saw(await new SignJWT({ instance: randomUUID(), kind: 'age' })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: 'workloads' })
      .setIssuer(WORKLOADS).setSubject('age-verification').setAudience(this.issuer)
      .setIssuedAt().setExpirationTime('5m').setJti(randomUUID())
      .sign(this.keys.workloads));
  }

  // Stops the process, searches what it left for tokens and personal data, and removes the world.
  async end() {
    if (this.process?.exitCode === null) {
      const ended = once(this.process, 'exit');
      this.process.kill('SIGTERM');
      await ended;
    }
    if (this.databaseName) {
      const dump = path.join(process.env.DEPUTY_TEST_PG_BIN ?? '', 'pg_dump');
      await run(dump, ['--file', path.join(this.directory, 'dump.sql'), '--dbname', this.databaseUrl]);
      await psql(`DROP DATABASE ${this.databaseName} WITH (FORCE)`);
    }
    const findings = await this.findings();
    await rm(this.directory, { recursive: true });
    if (findings.length) throw new Error(`secrets were left behind: ${findings.join('; ')}`);
  }

  async findings() {
    const findings = [];
    for (const entry of await readdir(this.directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const bytes = await readFile(path.join(entry.parentPath ?? entry.path, entry.name));
      for (const secret of [canary.birthdate, canary.email, ...this.seen]) {
        const forms = [secret, Buffer.from(secret).toString('base64url'), Buffer.from(secret).toString('hex')];
        if (forms.some((form) => bytes.includes(form))) findings.push(`${entry.name} holds ${secret.slice(0, 4)}…`);
      }
    }
    return findings;
  }

  // The definition of all tests, with a target's scope that only a login in person carries.
  #toml(provider) {
    const values = {
      issuer: this.issuer,
      public: `127.0.0.1:${this.port}`,
      management: `127.0.0.1:${this.managementPort}`,
      provider,
      provider_keys: 'network = "private"',
    };
    let toml = definition.replace(/@(\w+)@/g, (whole, name) => values[name] ?? whole);
    for (const [from, to] of this.changes) {
      if (!toml.includes(from)) throw new Error(`\`${from}\` is not in the configuration`);
      toml = toml.replace(from, to);
    }
    return this.databaseUrl ? `${toml}\n[database]\nurl = "${this.databaseUrl}"\n` : toml;
  }
}
