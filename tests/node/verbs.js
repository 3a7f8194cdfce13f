// The command lines in the running text of the pages: `deputy …` between backticks.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './blocks.js';

const helps = new Map();
function help(verbs) {
  const key = verbs.join(' ');
  if (!helps.has(key)) {
    helps.set(key, execFileSync(process.env.DEPUTY_TEST_BINARY, [...verbs, '--help'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  }
  return helps.get(key);
}

// Every such line of a page, with the number of its line.
export function verbLines(page) {
  const text = readFileSync(path.join(ROOT, page), 'utf8').replace(/^( *)```[^]*?^\1```$/gm, (block) => block.replace(/[^\n]/g, ''));
  return [...text.matchAll(/`(deputy [^`]+)`/g)].map((found) => ({
    at: `${page}:${text.slice(0, found.index).split('\n').length}`, line: found[1].replace(/\s+/g, ' '),
  }));
}

// What is wrong with a line, by the program's own help: an unknown verb or option, or too many arguments.
export function fault(line) {
  const words = (line.replaceAll(/'[^']*'/g, 'QUOTED').match(/\S+/g) ?? []).slice(1);
  const verbs = [];
  const known = (names) => help(names).match(/^Commands:\n((?: .*\n)+)/m)?.[1].match(/^ {2}\S+/gm).map((name) => name.trim());
  for (let names = known(verbs); names; names = known(verbs)) {
    const verb = words.shift();
    if (verb === undefined || /^[-…]/.test(verb)) return undefined; // a group of verbs as such
    if (verb.includes('|')) {
      const missing = verb.split('|').find((name) => !names.includes(name));
      return missing && `there is no \`${[...verbs, missing].join(' ')}\``;
    }
    if (!names.includes(verb)) return `there is no \`deputy ${[...verbs, verb].join(' ')}\``;
    verbs.push(verb);
  }
  const said = help(verbs);
  let free = 0;
  while (words.length) {
    const word = words.shift();
    if (word.startsWith('-')) {
      const option = said.match(new RegExp(`^ +(?:-\\w, )?${word.split('=')[0]}(?![\\w-])( <)?`, 'm'));
      if (!option) return `\`deputy ${verbs.join(' ')}\` has no \`${word}\``;
      if (option[1] && !word.includes('=')) words.shift();
    } else if (word !== '…') {
      free += 1;
    }
  }
  const usage = said.match(/^Usage: (.*(?:\n {2,}.*)*)/m)[1].replace(/--\S+ <\w+>/g, '');
  const places = (usage.match(/<[\w|]+>|\[[\w|]+\]/g) ?? []).filter((place) => place !== '[OPTIONS]').length;
  return free > places && !/\.\.\./.test(usage) ? `\`deputy ${verbs.join(' ')}\` takes no ${free} arguments` : undefined;
}
