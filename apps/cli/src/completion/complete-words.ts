import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from '@sinclair/typebox';
import type { Argument, Command, Option } from 'commander';
import { configCompletions, overrideCompletions, valueCompletions } from '@nautil/config';
import { jsonParser } from '@nautil/contracts/schemas';
import { runsFolder } from '@nautil/store/folders';
import { completionServer } from './completion-server.js';

/** What can be typed at the cursor. */
export interface Completion {
  name: string;
  description?: string;
}

/**
 * What can be typed after some words of a command line: commands, options and their choices, keys of the configuration and their
 * values, and names of runs. `files`: anything, so that the shell completes paths.
 *
 * @param before - the words between `nautil` and the cursor
 * @param current - the beginning of the word at the cursor
 */
export async function completeWords(
  program: Command,
  before: readonly string[],
  current: string,
): Promise<Completion[] | 'files'> {
  const { command, words } = commandAt(program, before);
  const valued = optionBefore(command, words.at(-1));
  if (valued) return starting(current, await valuesOf(valued));
  if (current.startsWith('-')) return starting(current, optionsOf(command));
  if (command.commands.length > 0 && words.length === 0) {
    const inner = command.commands.map((one) => ({
      name: one.name(),
      description: one.summary() || one.description(),
    }));
    return starting(
      current,
      inner.filter(({ name }) => name !== completionServer),
    );
  }
  const argument = argumentAt(command, words);
  return argument ? argumentCompletions(argument, current) : [];
}

function commandAt(program: Command, before: readonly string[]): { command: Command; words: string[] } {
  let command = program;
  let words = [...before];
  for (;;) {
    const inner = command.commands.find((one) => one.name() === words[0]);
    if (inner === undefined) return { command, words };
    command = inner;
    words = words.slice(1);
  }
}

/** The option whose value follows a word. */
const optionBefore = (command: Command, word: string | undefined): Option | undefined =>
  command.options.find(
    ({ long, short, required, optional }) =>
      word !== undefined && (word === long || word === short) && (required || optional),
  );

const optionsOf = (command: Command): Completion[] =>
  command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long, short, description }) => ({ name: long ?? short ?? '', description }));

async function valuesOf({ long, argChoices }: Option): Promise<Completion[] | 'files'> {
  if (argChoices !== undefined) return argChoices.map((name) => ({ name }));
  if (long === '--config-name') return configCompletions().map((name) => ({ name }));
  if (long === '--encoder') return valueCompletions('model').map((name) => ({ name }));
  return Promise.resolve('files');
}

/** The argument at the cursor. The last one may take several words. */
function argumentAt(command: Command, words: readonly string[]): Argument | undefined {
  const given = words.filter((word, i) => !word.startsWith('-') && !optionBefore(command, words[i - 1])).length;
  const { registeredArguments: all } = command;
  return all[given] ?? (all.at(-1)?.variadic ? all.at(-1) : undefined);
}

/** Arguments with Hydra's overrides; those of `train` are called otherwise, because they also have Hydra's options. */
const overrideArguments = ['overrides', 'arguments'];
const runArguments = ['workflow-id', 'run', 'runs'];

async function argumentCompletions(argument: Argument, current: string): Promise<Completion[] | 'files'> {
  const name = argument.name();
  if (argument.argChoices !== undefined)
    return starting(
      current,
      argument.argChoices.map((one) => ({ name: one })),
    );
  if (name === 'key')
    return starting(
      current,
      overrideCompletions().map((one) => ({ ...one, name: one.name.slice(0, -1) })),
    );
  if (runArguments.includes(name)) return starting(current, await runNames());
  return overrideArguments.includes(name) ? overridesFor(current) : 'files';
}

/** A key, or after the equals sign one of the values that the schema lists; `files` where there is none. */
function overridesFor(current: string): Completion[] | 'files' {
  const equals = current.indexOf('=');
  if (equals < 0) {
    const found = starting(current, overrideCompletions());
    return found.length === 0 ? 'files' : found; // the file of a configuration
  }
  const values = valueCompletions(current.slice(0, equals));
  if (values.length === 0 || (values.length === 1 && values[0] === 'null')) return 'files';
  return starting(
    current,
    values.map((value) => ({ name: `${current.slice(0, equals)}=${value}` })),
  );
}

function starting(current: string, completions: Completion[] | 'files'): Completion[] | 'files' {
  return completions === 'files' ? 'files' : completions.filter(({ name }) => name.startsWith(current));
}

const parseRun = jsonParser(Type.Object({ workflowId: Type.String() }));

/** The names of the runs of this machine. No server is asked, because a completion must not take long. */
async function runNames(): Promise<Completion[]> {
  const folders = await readdir(runsFolder()).catch((): string[] => []);
  const names = await Promise.all(folders.map((folder) => runNameIn(join(runsFolder(), folder, 'run.json'))));
  return [...new Set(names)].flatMap((name) => (name === undefined ? [] : { name }));
}

async function runNameIn(file: string): Promise<string | undefined> {
  try {
    return parseRun(await readFile(file, 'utf8'), file).workflowId;
  } catch {
    return undefined; // the folder of a sweep, or one that is being removed
  }
}
