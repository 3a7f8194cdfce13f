// Every command line and every program of the pages, run as a reader runs them: in order, in one directory, with files as
// the commands before have written them. Outcomes that a page gives are checked. A block that is not run says why.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { blocksOf, isToBeRun, pages, where } from './blocks.js';
import { signIn, signInByCode, startProvider } from './provider.js';
import { Reader } from './reader.js';

// The pages of each story, in the order in which the reader comes to them. A number is how many blocks are read.
const STORIES = {
  'README.md on one machine, and the guides': [
    ['README.md'], ['certs/README.md'], ['docs/guides/relying-party.md'], ['docs/guides/agent.md'],
    ['docs/guides/resource-server.md'], ['docs/guides/security-team.md'],
  ],
  'a provider on this machine': [['README.md', 1], ['docs/guides/your-provider.md']],
  'the example of one machine': [['examples/single-node/README.md']],
};

// Pages whose blocks other tests run: their configurations, and the requests to them.
const ELSEWHERE = {};

const followed = new Set(Object.values(STORIES).flat().map(([page]) => page));

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
    await reader.does('cp -r ../policies policy');
  },
  async 'was refused'(reader) {
    await reader.does(`export REQUEST_ID=$(deputy token exchange ${AS_ASSISTANT} --subject-token-file search-token.jwt --audience tickets --scope none 2>&1 | sed 's/.*request_id //')`);
  },
};
const AS_ASSISTANT = '--issuer https://localhost:8443 --ca-file certs/ca.pem --client-id assistant --client-key-file clients/assistant.pem';
const exchanges = (reader, what, scope, file) => (
  reader.does(`printf %s "$(deputy token exchange ${AS_ASSISTANT} --subject-token-file ${what} --scope '${scope}')" > ${file}`)
);

const toRun = (page) => blocksOf(page).filter((block) => (isToBeRun(block) || block.language === 'json') && !block.notRun);

for (const [story, parts] of Object.entries(STORIES)) {
  describe(story, () => {
    let provider;
    let reader;
    let broken = false;
    before(async () => {
      [provider, reader] = [await startProvider(), await Reader.begin()];
    });
    after(async () => {
      await reader?.end();
      await provider?.stop();
    });
    for (const [page, count] of parts) {
      for (const block of toRun(page).slice(0, count)) {
        test(`${where(block)} ${block.language} (${block.heading})`, async () => {
          assert.ok(!broken || process.env.GO_ON, 'a block before this one failed');
          broken = true;
          for (const act of block.reader) await ACTS[act](reader, provider);
          await reader.follow(block);
          broken = false;
        });
      }
    }
  });
}

test('every block of every page is run, or says why it is not', () => {
  const left = pages().filter((page) => !followed.has(page) && !(page in ELSEWHERE)).flatMap(blocksOf)
    .filter((block) => isToBeRun(block) && !block.notRun);
  assert.deepEqual(left.map((block) => `${where(block)} ${block.language}`), []);
});

test('what is not run is listed with its reason', () => {
  const shown = pages().flatMap(blocksOf).filter((block) => block.notRun);
  for (const block of shown) console.log(`not run: ${where(block)}: ${block.notRun}`);
  assert.ok(shown.every((block) => block.notRun.length > 10));
});
