// A reader of the pages: follows their blocks in order in one directory, with the binary under test as `deputy`.
//
// Only this differs from what a reader does: ports are free ones, and `cargo`, `npm install` and `pip install` find what
// the suite has installed already.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ROOT, fileOf, matches, pattern, where } from './blocks.js';
import { readSettings, scriptsOf } from './settings.js';
import { walk } from './browser.js';
import { closeServer, freePort, listen } from './world.js';

// The ports that the pages name: Deputy's two, a provider's, an application's, an API's.
const PORTS = [8443, 8444, 9000, 9001, 9002];
// What stays up, and the port that says that it is.
const STAYS_UP = [[/^deputy serve/, 8444], [/provider/, 9000], [/./, 9002]];
const IN_ITS_OWN_TERMINAL = /^(.*?)\s+# in a terminal of its own\n$/;
const STATE = '.state';

export class Reader {
  // In texts of the pages, the first of each pair is replaced by the second.
  static async begin(replacements = []) {
    const reader = new Reader();
    reader.directory = await mkdtemp(path.join(tmpdir(), 'deputy-pages-'));
    reader.replacements = replacements;
    reader.ports = {};
    for (const port of PORTS) reader.ports[port] = await freePort();
    reader.running = new Map(); // by port
    reader.answer = undefined; // what the last command printed
    reader.platformToken = async () => 'header.claims.signature'; // what the platform gives to a job
    for (const name of ['examples', 'policies', 'certs']) {
      await cp(path.join(ROOT, name), path.join(reader.directory, name), { recursive: true });
    }
    for (const file of await readdir(path.join(reader.directory, 'examples'), { recursive: true })) {
      if (/\.(toml|ts|py)$/.test(file)) await reader.rewrite(path.join('examples', file), (text) => reader.here(text));
    }
    await symlink(path.join(ROOT, 'tests/node/node_modules'), path.join(reader.directory, 'node_modules'));
    await reader.#install();
    return reader;
  }

  // Programs in front of the system's.
  async #install() {
    const bin = path.join(this.directory, '.bin');
    await mkdir(bin);
    await symlink(process.env.DEPUTY_TEST_BINARY, path.join(bin, 'deputy'));
    const tools = path.join(ROOT, 'tests/node/tools');
    for (const tool of await readdir(tools)) {
      await cp(path.join(tools, tool), path.join(bin, tool));
      await chmod(path.join(bin, tool), 0o755);
    }
    const python = process.env.DEPUTY_TEST_PYTHON;
    if (!python) throw new Error('DEPUTY_TEST_PYTHON is not set: ./test installs the packages and sets it');
    await writeFile(path.join(bin, 'python'), `#!/bin/sh\nexec '${python}' "$@"\n`, { mode: 0o755 });
    await writeFile(path.join(this.directory, STATE), `cd '${this.directory}'\n`);
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('DEPUTY_'));
    this.environment = {
      ...Object.fromEntries(own), PAGES_NODE: process.execPath, PAGES_PACKAGES: path.join(ROOT, 'tests/node'),
      PATH: `${bin}:${process.env.PATH}`, PYTHONWARNINGS: 'ignore',
      NODE_NO_WARNINGS: '1',
    };
  }

  // A text of a page, as it is here.
  here(text) {
    const changed = this.replacements.reduce((before, [from, to]) => before.replaceAll(from, to), text);
    return changed.replace(/\b(?:8443|8444|900[0-2])\b/g, (port) => this.ports[port]);
  }

  // Follows one block, and checks the outcome that the page gives.
  async follow(block) {
    const text = this.here(block.text);
    switch (block.language) {
      case 'sh': return this.#commands(text);
      case 'console': return this.#dialogue(text);
      case 'toml': return this.#configure(block, text);
      case 'yaml': return this.#job(text);
      case 'json': return block.file ? this.#write(block.file, text) : this.#answered(block, text);
      default: return this.#write(fileOf(block), text);
    }
  }

  async #write(file, text) {
    if (!file) throw new Error('a program names its file in its first line');
    await writeFile(path.join(await this.where(), file), text);
  }

  // A file by its name, or a part of the configuration, which has to be a valid one with it.
  async #configure(block, text) {
    const file = fileOf(block);
    if (file) return this.#write(file, text);
    const configuration = await readFile(path.join(await this.where(), 'deputy.toml'), 'utf8');
    await this.#write('part.toml', `${configuration}\n${text}`);
    const { stdout } = await this.run('deputy --json check --config part.toml || true\n');
    const findings = JSON.parse(stdout).findings.filter((finding) => finding.id === 'configuration');
    assert.deepEqual(findings.map((finding) => finding.status), ['ok'], JSON.stringify(findings));
  }

  async #answered(block, text) {
    assert.ok(this.answer, `${where(block)} has no command before it that printed an answer`);
    const found = JSON.parse(this.answer);
    assert.ok(matches(JSON.parse(text), found), `${where(block)} shows another answer than this: ${JSON.stringify(found, undefined, 2)}`);
  }

  async #commands(text) {
    const alone = text.match(IN_ITS_OWN_TERMINAL);
    this.answer = undefined;
    if (alone) return this.#start(alone[1]);
    const expected = Number(text.match(/# exit (\d+)\n$/)?.[1] ?? 0);
    const { code, stdout, stderr } = await this.run(text);
    assert.equal(code, expected, `${text}${stdout}${stderr}`);
    this.answer = stdout;
  }

  // The scripts of a workflow, as GitHub runs them: with a URL that gives the token of the job, and its secrets.
  async #job(text) {
    const [workflow] = readSettings([{ language: 'yaml', text }]);
    const server = http.createServer(async (request, response) => {
      const audience = new URL(request.url, 'http://localhost').searchParams.get('audience');
      const isAsked = request.headers.authorization?.toLowerCase() === 'bearer request-token' && audience;
      response.writeHead(isAsked ? 200 : 401).end(isAsked ? JSON.stringify({ value: await this.platformToken() }) : '');
    });
    const before = this.environment;
    const given = { ACTIONS_ID_TOKEN_REQUEST_URL: `${await listen(server)}/token?api-version=2.0`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request-token' };
    try {
      for (const { run, env } of scriptsOf(workflow)) {
        const secrets = await Promise.all(Object.entries(env).map(async ([name, value]) => {
          const secret = value.match(/^\$\{\{ secrets\.(\w+) \}\}$/)[1];
          return [name, await readFile(path.join(await this.where(), secret.toLowerCase()), 'utf8')];
        }));
        this.environment = { ...before, ...given, ...Object.fromEntries(secrets) };
        const { code, stderr } = await this.run(run);
        assert.equal(code, 0, `${run}${stderr}`);
      }
    } finally {
      this.environment = before;
      await closeServer(server);
    }
  }

  // Commands after `$`, each with what it prints.
  async #dialogue(text) {
    for (const part of text.split(/^\$ /m).slice(1)) {
      const [, command, shown] = part.match(/^((?:.*\\\n)*.*\n)([^]*)$/);
      const expected = Number(command.match(/# exit (\d+)\n$/)?.[1] ?? 0);
      const { code, stdout, stderr } = await this.run(command);
      assert.equal(code, expected, `${command}${stdout}${stderr}`);
      const [printed, wanted] = [`${stderr}${stdout}`, shown].map((said) => said.trim().replace(/\s+/g, ' '));
      assert.match(printed, pattern(wanted), command);
    }
  }

  // Does what no block of the page does.
  async does(command) {
    return this.#commands(`${this.here(command)}\n`);
  }

  // Where the reader is.
  async where() {
    return (await readFile(path.join(this.directory, STATE), 'utf8')).match(/^cd '(.*)'$/m)[1];
  }

  // Runs commands where the last ones ended, with the variables that they exported.
  async run(text) {
    const state = path.join(this.directory, STATE);
    const script = `set -eo pipefail\n. '${state}'\ntrap '{ export -p | grep -E "^declare -x (PATH|[A-Z_]*(CA_CERTS|CERT_FILE|CA_BUNDLE)|DEPUTY_ISSUER|DEPUTY_CLIENT_ID|TASK|AGENT|REQUEST_ID)="; echo "cd '"'"'$PWD'"'"'"; } > ${state}.new && mv ${state}.new ${state}' EXIT\n${text}`;
    const child = spawn('bash', ['-c', script], { env: this.environment, stdio: ['ignore', 'pipe', 'pipe'] });
    const printed = { stdout: '', stderr: '' };
    let signedIn;
    for (const stream of ['stdout', 'stderr']) {
      child[stream].on('data', (chunk) => {
        printed[stream] += chunk;
        const url = stream === 'stderr' && printed.stderr.match(/^Open (http\S+)\n/m)?.[1];
        if (url) signedIn ??= walk(new URL(url), { login: 'alice', password: 'a password' });
      });
    }
    const late = setTimeout(() => child.kill('SIGKILL'), 120_000);
    const [code] = await once(child, 'close');
    clearTimeout(late);
    await signedIn;
    return { code, ...printed };
  }

  // Starts what stays up, in the place of what was there.
  async #start(command) {
    const port = this.ports[STAYS_UP.find(([kind]) => kind.test(command))[1]];
    await this.#stop(port);
    const log = path.join(this.directory, `.log-${port}`);
    const output = createWriteStream(log);
    const child = spawn('bash', ['-c', `. '${path.join(this.directory, STATE)}'\nexec env ${command}`], {
      env: this.environment, stdio: ['ignore', 'pipe', 'pipe'], detached: true, // a group of its own, to be ended as one
    });
    for (const stream of [child.stdout, child.stderr]) stream.pipe(output, { end: false });
    this.running.set(port, child);
    for (let wait = 0; wait < 1500; wait += 1) {
      if (child.exitCode !== null) break;
      if (await answers(port)) return;
      await pause(20);
    }
    throw new Error(`\`${command}\` does not stay up:\n${await readFile(log, 'utf8')}`);
  }

  async #stop(port) {
    const child = this.running.get(port);
    this.running.delete(port);
    if (!child || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    process.kill(-child.pid, 'SIGTERM');
    await ended;
    // A process of the group may end after the first.
    for (let wait = 0; wait < 500 && await answers(port); wait += 1) await pause(20);
  }

  // Changes a file of the reader's directory.
  async rewrite(file, change) {
    const whole = path.resolve(this.directory, file);
    await writeFile(whole, change(await readFile(whole, 'utf8')));
  }

  async end() {
    for (const port of [...this.running.keys()]) await this.#stop(port);
    await rm(this.directory, { recursive: true });
  }
}

// Whether somebody listens on a port.
const answers = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1');
  socket.once('connect', () => { socket.destroy(); resolve(true); }).once('error', () => resolve(false));
});
