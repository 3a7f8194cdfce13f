// A world on disk with the real binary in it: keys of all parties, deputy.toml, a database, a log.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { createWriteStream, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';

const run = promisify(execFile);
const CLIENTS = ['assistant', 'age-service', 'tickets-api'];
export const WORKLOADS = 'https://workloads.example';

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
async function freePort() {
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
  // Everything but the running process. `provider` is the issuer of the identity provider.
  static async create(database, provider) {
    const world = new World();
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
    for (const name of [...CLIENTS, 'workloads']) {
      const { privateKey, publicKey } = await generateKeyPair('ES256');
      world.keys[name] = privateKey;
      const jwk = { ...await exportJWK(publicKey), kid: name, alg: 'ES256', use: 'sig' };
      await writeFile(path.join(world.directory, `${name}.jwks.json`), JSON.stringify({ keys: [jwk] }));
    }
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

  // Remembers a token and gives it back.
  saw(token) {
    this.seen.push(token);
    return token;
  }

  // What a fresh instance of the age-verification agent proves itself with.
  async workloadToken() {
    return this.saw(await new SignJWT({ instance: randomUUID(), role: 'verification' })
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

  #toml(provider) {
    const scopes = '"tickets:search", "tickets:book", "age_over_18"';
    return `
issuer = "${this.issuer}"
data_dir = "data"
[listen]
public = "127.0.0.1:${this.port}"
management = "127.0.0.1:${this.managementPort}"
${this.databaseUrl ? `[database]\nurl = "${this.databaseUrl}"` : ''}
[tokens]
subject = "pairwise"
[[identity_provider]]
issuer = "${provider}"
algorithms = ["ES256"]
network = "private"
[[identity_provider.relying_party]]
client_id = "booking-app"
clients = ["assistant"]
[[identity_provider.assurance]]
name = "phishing_resistant"
any_of = [{ claim = "acr", in = ["phr", "phrh"] }]
[[identity_provider.assurance]]
name = "in_person"
any_of = [{ claim = "acr", in = ["in-person"] }]
[[workload_issuer]]
issuer = "${WORKLOADS}"
jwks_file = "workloads.jwks.json"
instance_id_claim = "instance"
[[workload_issuer.class]]
name = "verification"
when = { claim = "role", equals = "verification" }
lifetime = "task"
clients = ["age-service"]
scopes = ["age_over_18"]
targets = ["tickets"]
answers = ["age_over_18"]
[[client]]
id = "assistant"
jwks_file = "assistant.jwks.json"
scopes = [${scopes}, "tickets:refund"]
targets = ["tickets", "age-agent"]
[[client]]
id = "age-service"
jwks_file = "age-service.jwks.json"
scopes = [${scopes}]
targets = ["tickets"]
[[client]]
id = "tickets-api"
jwks_file = "tickets-api.jwks.json"
grants = []
[[predicate]]
scope = "age_over_18"
claim = "birthdate"
at_least_years = 18
[[target]]
identifier = "age-agent"
scopes = { age_over_18 = {} }
resource_server = "tickets-api"
exchange_client = "age-service"
onward = ["tickets"]
[[target]]
identifier = "tickets"
scopes = { "tickets:search" = {}, "tickets:book" = { assurance = "phishing_resistant", max_age_seconds = 900 }, "tickets:refund" = { assurance = "in_person" }, age_over_18 = {} }
answers = { age_over_18 = {} }
resource_server = "tickets-api"
`;
  }
}
