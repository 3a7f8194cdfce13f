// What pages show of the settings of others: whether it can be read, whether it fits the configuration of Deputy beside
// it, and whether code in it compiles.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT, blocksOf, fileOf, where } from './blocks.js';

const READ = new Set(['yaml', 'ini', 'json']);

// What settings in YAML, or in the form of TOML, hold.
export const readSettings = (blocks) => JSON.parse(execFileSync(
  process.env.DEPUTY_TEST_PYTHON, [path.join(ROOT, 'tests/callers/python/settings.py')],
  { input: JSON.stringify(blocks), encoding: 'utf8' },
));

// The blocks of a page that are settings, each with what it holds.
export function settingsOf(page) {
  const blocks = blocksOf(page).filter(({ language }) => READ.has(language));
  const others = blocks.filter(({ language }) => language !== 'json');
  const read = others.length === 0 ? [] : readSettings(others);
  return blocks.map((block) => {
    try {
      return { ...block, settings: block.language === 'json' ? JSON.parse(block.text) : read[others.indexOf(block)] };
    } catch (error) {
      throw new Error(`${where(block)}: ${error.message}`);
    }
  });
}

// The scripts of the jobs of a workflow of GitHub Actions, each with its variables.
export const scriptsOf = (settings) => Object.values(settings.jobs ?? {})
  .flatMap((job) => job.steps.filter((step) => step.run).map(({ run, env = {} }) => ({ run, env })));

// What settings name that no configuration of Deputy on their page has: URLs, clients and scopes.
export function unknownTo(page, settings) {
  const configurations = blocksOf(page).filter((block) => fileOf(block) === 'deputy.toml').map(({ text }) => text).join('\n');
  const all = (pattern) => new Set([...configurations.matchAll(pattern)].map(([, found]) => found));
  const urls = all(/"(https:\/\/[^"]*)"/g);
  const clients = all(/^id +?= "(.*?)"/gm);
  const scopes = all(/"([\w.]+:[\w.]+)"/g);
  const isKnown = (name, text) => {
    // A tool may be at a path of a target, and Deputy's endpoints are at paths of its issuer.
    if (text.startsWith('https://')) return [...urls].some((url) => text === url || text.startsWith(`${url}/`));
    if (/client_?id$/i.test(name)) return clients.has(text) || /\benv/.test(text);
    if (/scopes?$/i.test(name)) return scopes.has(text);
    return true;
  };
  const walk = (name, value) => {
    if (value === null || typeof value !== 'object') return typeof value !== 'string' || isKnown(name, value) ? [] : [`${name}: ${value}`];
    if (Array.isArray(value)) return value.flatMap((item) => walk(name, item));
    return Object.entries(value).flatMap(([inner, item]) => walk(inner.replaceAll('-', '_'), item));
  };
  return walk('', settings);
}

// Compiles the blocks of Java of a page as one method, with the imports of the caller that the page's comment names:
//
//   <!-- java: Nimbus(String idToken) -->
export function compile(page) {
  const blocks = blocksOf(page).filter(({ language }) => language === 'java');
  const named = blocks.map(({ java }) => java?.match(/^(\w+)(\(.*\))$/)).find(Boolean);
  if (!named) throw new Error(`${where(blocks[0])} does not say with which caller it is compiled`);
  const [, caller, parameters] = named;
  const imports = readFileSync(path.join(ROOT, `tests/callers/java/${caller}.java`), 'utf8').match(/^import .*;$/gm).join('\n');
  const body = blocks.map(({ text }) => text).join('');
  const directory = mkdtempSync(path.join(tmpdir(), 'deputy-java-'));
  try {
    const file = path.join(directory, 'Page.java');
    writeFileSync(file, `${imports}\nfinal class Page {\n  static void shown${parameters} throws Exception {\n${body}  }\n}\n`);
    execFileSync('javac', ['-Werror', '-d', directory, '-cp', process.env.DEPUTY_TEST_JAVA_CALLERS, file], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    throw new Error(`${page}: ${error.stderr ?? error}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
