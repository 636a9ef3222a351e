import type { Command } from 'commander';
import type { KeyExplanation, LoadedConfig, SectionExplanation } from '@nautil/config';
import { largest, nautilCommand, valueAt } from '@nautil/contracts';
import { addConfigOptions, type ConfigFlags, examples, overridesArgument } from '../help.js';
import { namedConfiguration } from '../named-configuration.js';
import { printData, printJson, printMessage, printResult } from '../output.js';

interface ShowFlags extends ConfigFlags {
  json?: true;
}

export function addConfig(program: Command): void {
  const config = program
    .command('config')
    .summary('show the configuration, and explain its keys')
    .description('Shows the configuration that results from files and overrides, and explains its keys.')
    .addHelpText('after', examples('config show --config-name sst2', 'config explain model.optim.lr'));
  addConfigOptions(config.command('show'))
    .summary('show the complete configuration of a run, checked')
    .description(
      'Composes a configuration with its groups and overrides, resolves its interpolations, checks it, and prints it as YAML. ' +
        'Notes go to standard error. The exit code is 2 when it is invalid.',
    )
    .argument('[overrides...]', overridesArgument)
    .option('--origins', 'show where each value comes from: a file and line, or an override')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      examples(
        'config show --config-name sst2 trainer.max_epochs=1',
        'config show data=imdb nautil.data.source=aclImdb --origins',
      ),
    )
    .action(showConfig);
  addConfigOptions(config.command('explain'))
    .summary('explain a key, with its default and its current value')
    .description(
      'Explains a key: what it does, its default, the values it takes, and its current value. Without a key, lists the sections.',
    )
    .argument('[key]', 'a key (model.optim.lr) or a section (model.optim)')
    .argument('[overrides...]', overridesArgument)
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      examples('config explain', 'config explain trainer', 'config explain model.optim.lr --config-name sst2'),
    )
    .action(explain);
}

async function showConfig(args: string[], flags: ShowFlags & { origins?: true }): Promise<void> {
  const { loadConfig } = await import('@nautil/config');
  const loaded = await loadConfig(namedConfiguration(args, flags));
  for (const note of loaded.notes) printMessage(`note: ${note}`);
  if (flags.origins) {
    const values = [...leavesOf(loaded.tree)].map(([key, value]) => ({ key, value, writtenAt: loaded.writtenAt(key) }));
    if (flags.json) return printJson(values);
    const rows = values.map(({ key, value, writtenAt }) => ({ text: `${key}=${JSON.stringify(value)}`, writtenAt }));
    const width = Math.min(60, largest(rows.map(({ text }) => text.length)));
    for (const { text, writtenAt } of rows) await printResult(`${text.padEnd(width)}  ${writtenAt ?? ''}`);
  } else if (flags.json) await printJson(loaded.tree);
  else await printData(loaded.yaml.trimEnd());
}

function* leavesOf(tree: LoadedConfig['tree'], prefix = ''): Generator<[string, unknown]> {
  for (const [name, value] of Object.entries(tree)) {
    const key = `${prefix}${name}`;
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0) {
      yield* leavesOf(value, `${key}.`);
    } else yield [key, value];
  }
}

async function explain(key: string | undefined, args: string[], flags: ShowFlags): Promise<void> {
  const { explainKey, explainSections } = await import('@nautil/config');
  if (key === undefined) {
    const sections = explainSections().filter((section) => section.key !== '');
    if (flags.json) return printJson(sections);
    for (const section of sections) await printResult(`${section.key.padEnd(46)}  ${section.description}`);
    return;
  }
  const explanation = explainKey(key);
  const now = 'keys' in explanation ? undefined : await currentValue(explanation.key, args, flags);
  if (flags.json) return printJson({ ...explanation, ...now });
  if (explanation.oldSpelling !== undefined) {
    await printResult(`${explanation.oldSpelling} is an old spelling: it is read as ${explanation.key}\n`);
  }
  const lines = 'keys' in explanation ? formatSection(explanation) : formatKey(explanation, now ?? {});
  await printResult(lines.join('\n'));
}

interface CurrentValue {
  value?: unknown;
  writtenAt?: string | undefined;

  /** Why the configuration is invalid. The value is unknown then. */
  refused?: string;
}

async function currentValue(key: string, args: string[], flags: ConfigFlags): Promise<CurrentValue> {
  const { ConfigError, loadConfig } = await import('@nautil/config');
  try {
    const loaded = await loadConfig(namedConfiguration(args, flags));
    return { value: valueAt(loaded.tree, key), writtenAt: loaded.writtenAt(key) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { refused: error.message };
  }
}

function formatKey(explained: KeyExplanation, { value, writtenAt, refused }: CurrentValue): string[] {
  const { whenAbsent, noEffect, needs, needsFound, instead, versions } = explained;
  const now =
    refused !== undefined
      ? `unknown, since the configuration is invalid: ${refused}`
      : writtenAt === undefined
        ? 'not set anywhere: the default applies'
        : `${JSON.stringify(value)}  (${writtenAt})`;
  return [
    explained.key,
    `  ${explained.description}`,
    '',
    `  values   ${explained.accepts}`,
    `  default  ${explained.defaultText}`,
    ...(whenAbsent === undefined ? [] : [`           ${JSON.stringify(whenAbsent)} when a file leaves it out`]),
    `  now      ${now}`,
    ...(noEffect === undefined ? [] : [`  note     has no effect: ${noEffect}`]),
    ...(needs === undefined ? [] : [`  needs    ${needs}`]),
    ...(needsFound === undefined ? [] : [`  needs    ${needsFound}`]),
    ...(instead === undefined ? [] : [`  note     other values are refused: ${instead}`]),
    ...(versions === undefined ? [] : [`  history  ${versions}`]),
  ];
}

function formatSection({ key, description, keys, sections }: SectionExplanation): string[] {
  const rows = [...keys, ...sections.map((section) => ({ ...section, defaultText: '…' }))];
  const widthOf = (texts: string[]): number => Math.min(40, largest(texts.map(({ length }) => length)));
  const nameWidth = widthOf(rows.map((row) => row.key));
  const defaultWidth = widthOf(rows.map((row) => row.defaultText));
  return [
    `${key}: ${description}`,
    '',
    ...rows.map((row) => `  ${row.key.padEnd(nameWidth)}  ${row.defaultText.padEnd(defaultWidth)}  ${row.description}`),
    '',
    `\`${nautilCommand('config', 'explain', rows[0]?.key ?? key)}\` explains the first of them${sections.length > 0 ? '; … is a section' : ''}.`,
  ];
}
