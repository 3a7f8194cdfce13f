// Every command line and every program of the pages, run as a reader runs them: in order, in one directory, with files as
// the commands before have written them. Outcomes that a page gives are checked. A block that is not run says why.

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { exportPKCS8 } from 'jose';
import { ROOT, blocksOf, fileOf, isRead, isToBeRun, linksOf, matches, pages, where } from './blocks.js';
import { stage } from './page.js';
import { accessToken, signIn, signInByCode, startProvider } from './provider.js';
import { Reader } from './reader.js';
import { compile, settingsOf, unknownTo } from './settings.js';
import { fault, verbLines } from './verbs.js';

// The pages of each story, in the order in which the reader comes to them: whole, or so many blocks under a heading.
const STORIES = {
  'README.md on one machine, and the guides': [
    ['README.md'], ['certs/README.md'], ['docs/guides/relying-party.md'], ['docs/guides/agent.md'],
    ['examples/agent-ts/README.md'], ['examples/agent-py/README.md'], ['examples/mcp-py/README.md'],
    ['docs/guides/resource-server.md'], ['docs/guides/security-team.md'], ['policies/README.md'],
  ],
  'a provider on this machine': [
    ['README.md', 'In front of your own provider, in ten minutes', 1], ['docs/guides/your-provider.md'],
  ],
  'the example of one machine': [['examples/single-node/README.md']],
  'the alert rules': [['docs/operating.md', 'Metrics and alerts', 1]],
};

// The pages of callers that have commands or programs, each with the number of the configuration that they are for.
const CALLERS = {
  aws: 0, azure: 0, gcp: 0, kubernetes: 0, kagent: 0, keycard: 1, 'google-auth': 0, libraries: 0, 'github-actions': 0,
};

const callersPage = (name) => `docs/callers/${name}.md`;
// The whole configurations of these pages are loaded by `tests/api/callers.rs`, and its requests run with them.
const isConfiguration = (block) => block.page.startsWith('docs/callers/') && fileOf(block) === 'deputy.toml';

// What the reader does by hand, as the text of the page tells them to.
const ACTS = {
  async 'names the provider'(reader, provider) {
    await reader.rewrite(path.join(await reader.where(), 'deputy.toml'), (text) => text
      .replace('https://login.example', provider.issuer).replace('travel-app', provider.application));
  },
  async 'signs in'(reader, provider) {
    await writeFile(path.join(await reader.where(), 'id-token.jwt'), await signIn(provider.issuer));
  },
  async 'signs in with a code'(reader, provider) {
    await writeFile(path.join(await reader.where(), 'id-token.jwt'), await signInByCode(provider.issuer));
  },
  async 'holds a task token'(reader, provider) {
    await ACTS['signs in'](reader, provider);
    await exchanges(reader, 'id-token.jwt --audience https://localhost:8443 --purpose tickets', 'tickets:search tickets:book age_over_18', 'task-token.jwt');
  },
  async 'holds a search token'(reader, provider) {
    await ACTS['holds a task token'](reader, provider);
    await exchanges(reader, 'task-token.jwt --subject-token-type access_token --audience tickets', 'tickets:search', 'search-token.jwt');
  },
  async 'copies the policies'(reader) {
    await reader.does('rm -rf policies && cp -r ../policies policies');
  },
  async 'was refused'(reader) {
    await reader.does(`export REQUEST_ID=$(deputy token exchange ${AS_ASSISTANT} --subject-token-file search-token.jwt --audience tickets --scope none 2>&1 | sed 's/.*request_id //')`);
  },
};
const AS_ASSISTANT = '--issuer https://localhost:8443 --ca-file certs/ca.pem --client-id assistant --client-key-file clients/assistant.pem';
const exchanges = (reader, what, scope, file) => (
  reader.does(`deputy token exchange ${AS_ASSISTANT} --subject-token-file ${what} --scope '${scope}' > ${file}`)
);

const isWorkflow = (block) => block.language === 'yaml' && /^jobs:$/m.test(block.text);
const toRun = (page) => blocksOf(page).filter((block) => (isToBeRun(block) || block.language === 'json' || isWorkflow(block)) && !block.notRun && !block.runBy);

// The blocks of a story, and those of a caller.
const ofStory = (parts) => parts.flatMap(([page, heading, count]) => toRun(page).filter((block) => !heading || block.heading === heading).slice(0, count));
const ofCaller = (name) => toRun(callersPage(name)).filter((block) => !isConfiguration(block));
const followed = new Set([...Object.values(STORIES).flatMap(ofStory), ...Object.keys(CALLERS).flatMap(ofCaller)].map(where));

// A test for each block, in order. Where one fails, those after it cannot be followed.
function tell(blocks, parties) {
  let broken = false;
  for (const block of blocks) {
    test(`${where(block)} ${block.language} (${block.heading})`, async () => {
      assert.ok(!broken, 'a block before this one failed');
      broken = true;
      for (const act of block.reader) await ACTS[act](parties.reader, parties.provider);
      await parties.reader.follow(block);
      broken = false;
    });
  }
}

for (const [story, parts] of Object.entries(STORIES)) {
  describe(story, () => {
    const parties = {};
    before(async () => {
      parties.provider = await startProvider();
      parties.reader = await Reader.begin();
    });
    after(async () => {
      await parties.reader?.end();
      await parties.provider?.stop();
    });
    tell(ofStory(parts), parties);
  });
}

for (const [name, configuration] of Object.entries(CALLERS)) {
  describe(`the caller of ${name}.md`, () => {
    const parties = {};
    let world;
    before(async () => {
      parties.provider = await startProvider();
      const staged = await stage('SQLite', name, configuration, parties.provider.issuer, true);
      ({ world } = staged);
      parties.reader = await callerOf(staged, parties.provider);
    });
    after(async () => {
      await parties.reader?.end();
      await world?.end();
      await parties.provider?.stop();
    });
    tell(ofCaller(name), parties);
  });
}

// The reader of a caller's page, with the files that the page names.
async function callerOf({ world, audience, secret, privateKey, platformToken }, provider) {
  const files = {
    user_token: audience && await accessToken(provider.issuer, audience),
    id_token: await signIn(provider.issuer),
    platform_token: await platformToken(),
    credential: await platformToken(),
    'clients/assistant.pem': await exportPKCS8(privateKey),
  };
  const reader = await Reader.begin([
    ['https://deputy.example', world.issuer],
    ['/var/run/secrets/deputy/token', 'platform_token'],
    ['/var/run/secrets/kubernetes.io/serviceaccount/token', 'platform_token'],
    ['/run/user/1000/id_token', 'id_token'],
    ['"client_secret": "…"', `"client_secret": "${secret}"`],
  ]);
  for (const [file, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(reader.directory, file)), { recursive: true });
    await writeFile(path.join(reader.directory, file), text ?? '');
  }
  reader.platformToken = platformToken;
  for (const name of ['CURL_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS', 'REQUESTS_CA_BUNDLE', 'SSL_CERT_FILE']) {
    reader.environment[name] = world.certificates;
  }
  return reader;
}

test('an outcome that differs from that of the page is found', async () => {
  const shown = { active: true, sub: 'pw_…', exp: 1795791884, act: { sub: 'agent_…' } };
  assert.ok(matches(shown, { active: true, sub: 'pw_x', exp: 1800000000, act: { sub: 'agent_y' } }));
  for (const other of [{ active: false }, { sub: 'alice' }, { exp: '1795791884' }, { act: {} }, { scope: 'more' }]) {
    assert.ok(!matches(shown, { active: true, sub: 'pw_x', exp: 1800000000, act: { sub: 'agent_y' }, ...other }));
  }
  const reader = await Reader.begin();
  try {
    const block = (language, text) => ({ page: 'a page', line: 1, language, text });
    for (const wrong of [
      block('sh', 'false\ntrue\n'), block('sh', 'true   # exit 4\n'), block('console', '$ echo one\ntwo\n'), block('console', '$ exit 3\n'),
      block('toml', '[[client]]\n'), block('ts', 'const unnamed = 1;\n'),
    ]) {
      await assert.rejects(reader.follow(wrong), JSON.stringify(wrong));
    }
    await reader.follow(block('sh', 'sh -c "exit 4"   # exit 4\n'));
    await reader.follow(block('sh', 'echo \'{"a": 1}\'\n'));
    await reader.follow(block('json', '{ "a": 1 }'));
    await assert.rejects(reader.follow(block('json', '{ "a": 2 }')));
    await reader.follow(block('ts', '// wrong.ts\nexport const number: number = "a text";\n'));
    await assert.rejects(reader.follow(block('sh', 'node wrong.ts\n')), /not assignable/);
  } finally {
    await reader.end();
  }
});

test('every link to a part of a page leads to a heading', () => {
  const lost = pages().flatMap((page) => linksOf(page)).filter(({ heading, headings }) => !headings.includes(heading));
  assert.deepEqual(lost.map(({ page, link }) => `${page}: ${link}`), []);
});

test('every block of every page is run, read or compiled, or says why it is not', () => {
  const isLeft = (block) => (isToBeRun(block) ? !followed.has(where(block)) && !isConfiguration(block) : !isRead(block));
  const left = pages().flatMap(blocksOf).filter((block) => isLeft(block) && !block.notRun && !block.runBy);
  assert.deepEqual(left.map((block) => `${where(block)} ${block.language}`), []);
});

test('the settings of others can be read, and name what the configuration of Deputy beside them has', () => {
  const unknown = pages().flatMap((page) => settingsOf(page).flatMap(({ settings, ...block }) => (
    page.startsWith('docs/callers/') ? unknownTo(page, settings).map((found) => `${where(block)} ${found}`) : [])));
  assert.deepEqual(unknown, []);
  assert.deepEqual(
    unknownTo('docs/callers/litellm.md', { a: ['https://ticket.example'], client_id: 'litelm', b: { scopes: ['tickets:sarch'] } }),
    ['a: https://ticket.example', 'client_id: litelm', 'scopes: tickets:sarch'],
  );
});

for (const page of pages().filter((name) => blocksOf(name).some(({ language }) => language === 'java'))) {
  test(`the Java of ${page} compiles`, () => compile(page));
}

test('every command of the running text is one that the program has', () => {
  const lines = pages().filter((page) => page !== 'CHANGELOG.md').flatMap(verbLines);
  assert.ok(lines.length > 50);
  assert.deepEqual(lines.flatMap(({ at, line }) => (fault(line) ? [`${at}: ${line}: ${fault(line)}`] : [])), []);
  assert.match(fault('deputy migrate DIR'), /takes no 1 arguments/);
  assert.match(fault('deputy audit search'), /there is no/);
  assert.match(fault('deputy check --conf FILE'), /has no `--conf`/);
});

test('what a test of its own runs is read from the page by that test', async () => {
  const elsewhere = pages().flatMap(blocksOf).filter((block) => block.runBy);
  assert.ok(elsewhere.length > 5);
  for (const block of elsewhere) {
    const runner = await readFile(path.join(ROOT, block.runBy), 'utf8');
    // By the page and the heading; or, where it is one command, by the command.
    const isNamed = runner.includes(block.page) && runner.includes(`# ${block.heading}`);
    assert.ok(isNamed || runner.includes(block.text.trim()), `${block.runBy} does not name ${where(block)}`);
  }
});

test('what is not run is listed with its reason', () => {
  const shown = pages().flatMap(blocksOf).filter((block) => block.notRun);
  for (const block of shown) console.log(`not run: ${where(block)}: ${block.notRun}`);
  assert.ok(shown.every((block) => block.notRun.length > 10));
});
