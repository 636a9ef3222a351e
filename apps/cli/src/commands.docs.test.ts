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

/** Commands with options of Hydra's, which commander does not know. */
const hydraCommands = ['train', 'evaluate', 'infer'];

/** The command that words name, and the words after its name. */
function commandOf(line: readonly string[]): { command: Command; left: string[] } {
  let command: Command = buildProgram();
  let left = [...line];
  for (let next = command.commands.find((one) => one.name() === left[0]); next;) {
    command = next;
    left = left.slice(1);
    next = command.commands.find((one) => one.name() === left[0]);
  }
  return { command, left };
}

test('the pages show commands', () => expect(nautil.length).toBeGreaterThan(15));

test.each(nautil)('%s: %s', (_, line) => {
  const { command, left: rest } = commandOf(words(line).slice(2));
  if (rest.some((word) => ['--help', '-h'].includes(word))) return;
  if (hydraCommands.includes(command.name())) {
    const { operands, unknown } = command.parseOptions(rest);
    return void parseHydraArguments([...operands, ...unknown]);
  }
  if (command.name() === 'temporal') return; // the Temporal CLI's
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

/** The lines of the sources that are neither comments nor tests. */
const linesOf = (...folders: string[]): string[] =>
  folders.flatMap((folder) =>
    readdirSync(join(packageRoot(), folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /(^|\/)src\/.*\.ts$/.test(file) && !/\.test\.ts$|node_modules|testing\//.test(file))
      .flatMap((file) =>
        textOf(join(folder, file))
          .split('\n')
          .filter((line) => !/^\s*(\*|\/\/|\/\*\*)/.test(line))
          .map((line) => `${file}: ${line.trim()}`),
      ),
  );
const codeLines = linesOf('libs', 'workflows');

test('messages name a command as it is typed in a checkout, with npx, which is removed elsewhere', () => {
  expect(codeLines.length).toBeGreaterThan(10_000);
  expect(codeLines.filter((line) => /`nautil [a-z]/.test(line))).toEqual([]);
});

/** The commands in messages: those that are written out, and those that `nautilCommand` quotes, whose values are `x` here. */
const inMessages = [...codeLines, ...linesOf('apps')].flatMap((line) => {
  const written = [...line.matchAll(/(?<!\w)\\?`npx nautil ([^`\\]+)/g)].map(([, rest = '']) =>
    rest.replace(/\$\{[^}]*\}/g, 'x'),
  );
  const quoted = [...line.matchAll(/nautilCommand\(([^()]*)\)/g)].map(([, args = '']) =>
    args
      .split(',')
      .map((arg) => /^\s*'([^']*)'\s*$/.exec(arg)?.[1] ?? 'x')
      .join(' '),
  );
  return [...written, ...quoted].map((command) => [command, line] as const);
});

test('messages have commands', () => expect(inMessages.length).toBeGreaterThan(60));

test.each(inMessages)('a message’s command exists, with its arguments: npx nautil %s', (rest, line) => {
  const { command, left } = commandOf(words(rest));
  // `nautilCommand(name, …)`: the name is one of several commands, each of which is also written out elsewhere.
  if (command.name() === 'nautil' && left[0] === 'x') return;
  if (left.includes('--help')) return;
  expect(command.name()).not.toBe('nautil');
  if (hydraCommands.includes(command.name()) || command.name() === 'temporal') return;
  const { operands, unknown } = command.parseOptions(left);
  expect({ line, unknown }).toEqual({ line, unknown: [] });
  const needed = command.registeredArguments.filter(({ required }) => required);
  // A command that has further ones, such as `runs`, lists them.
  if (command.commands.length === 0) expect(operands.length).toBeGreaterThanOrEqual(needed.length);
  // A placeholder does not work when it is pasted; the help of a command has them.
  if (!/commands\/\w+\.ts/.test(line)) expect(operands.filter((word) => /^[A-Z]{2,}$/.test(word))).toEqual([]);
});
