import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { packageRoot } from '@nautil/store/folders';
import { buildProgram } from './program.js';
import { parseHydraArguments } from './trainer/hydra-arguments.js';

// Every command and option in a fenced block of the pages exists. Other tests and the drills run such commands, which takes
// servers and hours.

const pages = [
  'README.md',
  ...readdirSync(join(packageRoot(), 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
  ...['libs', 'apps'].flatMap((folder) =>
    readdirSync(join(packageRoot(), folder)).map((name) => `${folder}/${name}/README.md`),
  ),
];

const textOf = (page: string): string => {
  try {
    return readFileSync(join(packageRoot(), page), 'utf8');
  } catch {
    return '';
  }
};

/** The commands in the fenced blocks of a page, without prompts and comments; the parts of a pipe are separate. */
function* commandsIn(page: string): Generator<string> {
  for (const [, block = ''] of textOf(page).matchAll(/^```(?:sh|text|)\n([^]*?)^```/gm))
    for (const line of block.replaceAll('\\\n', ' ').split('\n'))
      for (const part of line.split(/ \| | > | && /))
        yield part
          .trim()
          .replace(/^\$ /, '')
          .replace(/\s+#.*$/, '');
}

const documented = (start: string): [page: string, command: string][] =>
  pages.flatMap((page) =>
    [...commandsIn(page)].filter((line) => line.startsWith(start)).map((line) => [page, line] as [string, string]),
  );

/** Splits a line into words as a shell does. */
const words = (line: string): string[] =>
  [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) => word.replace(/['"]/g, ''));

const nautil = documented('npx nautil');

/** Commands whose options commander does not know. */
const hydraCommands = ['train', 'evaluate', 'infer'];

test('the pages show commands', () => expect(nautil.length).toBeGreaterThan(15));

test.each(nautil)('%s: %s', (_, line) => {
  let command: Command = buildProgram();
  let rest = words(line).slice(2);
  for (let next = command.commands.find((one) => one.name() === rest[0]); next;) {
    command = next;
    rest = rest.slice(1);
    next = command.commands.find((one) => one.name() === rest[0]);
  }
  if (rest.some((word) => ['--help', '-h'].includes(word))) return;
  if (hydraCommands.includes(command.name())) return void parseHydraArguments(rest);
  expect({ command: command.name(), unknown: command.parseOptions(rest).unknown }).toEqual({
    command: expect.not.stringMatching(/^nautil$/),
    unknown: [],
  });
});

const targets = documented('npx nx run ');

test.each(targets)('%s: %s', (_, line) => {
  const [project = '', target = ''] = (words(line)[3] ?? '').split(':');
  const manifests = ['libs', 'apps'].flatMap((folder) =>
    readdirSync(join(packageRoot(), folder)).map((name) => join(folder, name, 'package.json')),
  );
  const found = [...manifests, 'tests/package.json', 'tools/package.json', 'workflows/package.json'].map((file) => {
    const { nx } = JSON.parse(textOf(file) || '{}') as { nx?: { name?: string; targets?: Record<string, unknown> } };
    return nx?.name === project ? Object.keys(nx.targets ?? {}).concat('test') : [];
  });
  expect(found.flat()).toContain(target);
});

/** The lines of the libraries' and workflows' sources that are neither comments nor tests. */
const codeLines = ['libs', 'workflows'].flatMap((folder) =>
  readdirSync(join(packageRoot(), folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /(^|\/)src\/.*\.ts$/.test(file) && !/\.test\.ts$|node_modules|testing\//.test(file))
    .flatMap((file) =>
      textOf(join(folder, file))
        .split('\n')
        .filter((line) => !/^\s*(\*|\/\/|\/\*\*)/.test(line))
        .map((line) => `${file}: ${line.trim()}`),
    ),
);

test('messages name a command as it is typed in a checkout, with npx, which is removed elsewhere', () => {
  expect(codeLines.length).toBeGreaterThan(10_000);
  expect(codeLines.filter((line) => /`nautil [a-z]/.test(line))).toEqual([]);
});
