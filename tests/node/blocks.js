// The fenced blocks of the repository's pages, with what an HTML comment before a block says about it:
//
//   <!-- not run: it needs a cluster -->   the block is shown only, for this reason
//   <!-- run by: tests/api/metrics.rs --> a test of its own runs the block
//   <!-- reader: signs in -->              what the reader does first, which no command does
//   <!-- file: deputy.json -->             the block is this file
//   <!-- java: Nimbus(String idToken) -->  the caller with which it is compiled, and what it is given
//
// An indented block of code counts as one without a comment, so that nothing is left out by its form.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

// The languages of which every block is run, unless a comment says why it is not.
const RUN = new Set(['sh', 'console', 'ts', 'js', 'python', 'toml', 'cedar']);

// Every page of the repository.
export const pages = () => execFileSync('git', ['ls-files', '*.md'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n').sort();

export function blocksOf(page) {
  const blocks = [];
  let [open, heading, comments] = [undefined, '', []];
  readFileSync(path.join(ROOT, page), 'utf8').split('\n').forEach((line, index) => {
    const fence = line.match(/^( *)```(\w*)$/);
    if (open) {
      if (fence && fence[1] === open.indent && !fence[2]) {
        blocks.push({ ...open, text: `${open.lines.join('\n')}\n` });
        open = undefined;
      } else {
        open.lines.push(line.slice(open.indent.length));
      }
      return;
    }
    if (fence) {
      open = { page, heading, language: fence[2], indent: fence[1], line: index + 1, lines: [], ...spoken(comments) };
      comments = [];
    } else if (line.startsWith('<!-- ')) {
      comments.push(line.match(/^<!-- (.*) -->$/)?.[1] ?? line);
    } else if (line.startsWith('#')) {
      heading = line.replace(/^#+ /, '');
    } else if (/^ {4}(deputy|cargo|cp|curl|for|node|python) /.test(line)) {
      throw new Error(`${page}:${index + 1}: a command in an indented block; write a fenced one`);
    } else if (line.trim()) {
      comments = [];
    }
  });
  if (open) throw new Error(`${page}:${open.line}: a block without an end`);
  return blocks;
}

// The links of a page that name a heading, each with the headings of the page that it leads to, as a browser knows them.
export function linksOf(page) {
  const text = readFileSync(path.join(ROOT, page), 'utf8');
  return [...text.matchAll(/\]\(([^)\s:]*?)#([^)\s]+)\)/g)].map(([link, file, heading]) => {
    const target = file ? path.join(ROOT, path.dirname(page), file) : path.join(ROOT, page);
    const headings = [...readFileSync(target, 'utf8').matchAll(/^#+ (.*)$/gm)]
      .map(([, title]) => title.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-'));
    return { page, link, heading, headings };
  });
}

// What the comments before a block say.
function spoken(comments) {
  const of = (kind) => comments.filter((comment) => comment.startsWith(`${kind}: `)).map((comment) => comment.slice(kind.length + 2));
  return { notRun: of('not run')[0], runBy: of('run by')[0], reader: of('reader'), file: of('file')[0], java: of('java')[0] };
}

export const where = (block) => `${block.page}:${block.line}`;
export const isToBeRun = (block) => RUN.has(block.language);
// Answers and the settings of others, which are read; code, which is compiled; and texts that are no code.
export const isRead = (block) => ['json', 'yaml', 'ini', 'java', ''].includes(block.language);

// The file that a block is, by its first line: `// agent.ts`, `# agent.py`.
export const fileOf = (block) => block.file ?? block.text.match(/^(?:\/\/|#) ([\w./-]+\.(?:ts|mjs|py|toml|cedar))\n/)?.[1];

// Whether an answer is what a page shows. In what is shown, `…` stands for any text, and a time for any time.
export function matches(shown, found) {
  if (Array.isArray(shown)) {
    return Array.isArray(found) && shown.length === found.length && shown.every((value, index) => matches(value, found[index]));
  }
  if (shown !== null && typeof shown === 'object') {
    if (found === null || typeof found !== 'object') return false;
    const names = Object.keys(shown);
    return names.length === Object.keys(found).length && names.every((name) => matches(shown[name], found[name]));
  }
  if (typeof shown === 'string') return typeof found === 'string' && pattern(shown).test(found);
  if (shown > 1e9) return Number.isInteger(found) && found > 1e9;
  // A lifetime that is counted down from a moment before.
  if (shown > 600) return Number.isInteger(found) && Math.abs(shown - found) < 60;
  return shown === found;
}

export function pattern(shown) {
  const parts = shown.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^]*?')}$`);
}
