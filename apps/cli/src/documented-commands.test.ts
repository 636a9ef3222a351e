import { expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '@nautil/store';
import type { Command } from 'commander';
import { buildProgram } from './program.js';

// What people copy from the pages: every command and option that a fenced line names is there. Running them takes servers
// and hours; the tests of tools, tests and the drills do.

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

/** Lines of fenced blocks of commands, without prompt, comment and pipe. */
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

/** Words as a shell makes them of plain words and quotes. */
const words = (line: string): string[] =>
  [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) => word.replace(/['"]/g, ''));

const nautil = documented('npx nautil');

test('the pages show commands', () => expect(nautil.length).toBeGreaterThan(15));

test.each(nautil)('%s: %s', async (_, line) => {
  let command: Command = await buildProgram();
  let rest = words(line).slice(2);
  for (let next = command.commands.find((one) => one.name() === rest[0]); next;) {
    command = next;
    rest = rest.slice(1);
    next = command.commands.find((one) => one.name() === rest[0]);
  }
  if (rest.some((word) => ['--help', '-h'].includes(word))) return;
  expect({ command: command.name(), unknown: command.parseOptions(rest).unknown }).toEqual({
    command: expect.not.stringMatching(/^nautil$/),
    unknown: [],
  });
});

const targets = documented('npx nx run ');

test.each(targets)('%s: %s', (_, line) => {
  const [project = '', target = ''] = words(line)[3]!.split(':');
  const manifests = ['libs', 'apps'].flatMap((folder) =>
    readdirSync(join(packageRoot(), folder)).map((name) => join(folder, name, 'package.json')),
  );
  const found = [...manifests, 'tests/package.json', 'tools/package.json', 'workflows/package.json'].map((file) => {
    const { nx } = JSON.parse(textOf(file) || '{}') as { nx?: { name?: string; targets?: Record<string, unknown> } };
    return nx?.name === project ? Object.keys(nx.targets ?? {}).concat('test') : [];
  });
  expect(found.flat()).toContain(target);
});
