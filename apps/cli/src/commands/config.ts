import type { KeyExplanation, LoadedConfig, SectionExplanation } from '@nautil/config';
import type { Command } from 'commander';
import { examples } from '../program.js';

interface ConfigFlags {
  configPath?: string;
  configName?: string;
  json?: true;
}

export function register(program: Command): void {
  const config = program
    .command('config')
    .summary('show the configuration, and explain its keys')
    .description('Shows a configuration as it is composed, and explains its keys.')
    .addHelpText('after', examples('config show --config-name sst2', 'config explain model.optim.lr'));
  withConfiguration(config.command('show'))
    .summary('the configuration of a run, composed and checked')
    .description(
      'Composes a configuration with its groups and overrides, resolves what refers to something else, checks it, and prints ' +
        'it as YAML. Notes go to standard error. The exit code is 2 when it is refused.',
    )
    .argument('[overrides...]', 'Hydra-style overrides of the configuration')
    .option('--origins', 'say where each value was written: file and line, or override')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      examples(
        'config show --config-name sst2 trainer.max_epochs=1',
        'config show data=imdb nautil.data.source=aclImdb --origins',
      ),
    )
    .action(showConfig);
  withConfiguration(config.command('explain'))
    .summary('what a key does, what it may be, and what it is now')
    .description(
      'Explains a key: what it does, its default, what it may be, and what it is now. Without a key, lists the sections.',
    )
    .argument('[key]', 'a key (model.optim.lr) or a section (model.optim)')
    .argument('[overrides...]', 'Hydra-style overrides of the configuration')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      examples('config explain', 'config explain trainer', 'config explain model.optim.lr --config-name sst2'),
    )
    .action(explain);
}

const withConfiguration = (command: Command): Command =>
  command
    .option('--config-path <folder>', 'a folder of configurations (default: conf)')
    .option('--config-name <name>', 'a configuration in it (default: text_classification_config)');

async function showConfig(overrides: string[], flags: ConfigFlags & { origins?: true }): Promise<void> {
  const { loadConfig } = await import('@nautil/config');
  const loaded = await loadConfig({ ...flags, overrides });
  for (const note of loaded.notes) console.error(`note: ${note}`);
  if (flags.origins) {
    const values = [...leavesOf(loaded.tree)].map(([key, value]) => ({ key, value, writtenAt: loaded.writtenAt(key) }));
    if (flags.json) return console.log(JSON.stringify(values, null, 2));
    const assignments = values.map(({ key, value }) => `${key}=${JSON.stringify(value)}`);
    const width = Math.min(60, Math.max(...assignments.map(({ length }) => length)));
    values.forEach(({ writtenAt }, index) => console.log(`${assignments[index]!.padEnd(width)}  ${writtenAt ?? ''}`));
  } else if (flags.json) console.log(JSON.stringify(loaded.tree, null, 2));
  else process.stdout.write(loaded.yaml);
}

function* leavesOf(tree: LoadedConfig['tree'], prefix = ''): Generator<[string, unknown]> {
  for (const [name, value] of Object.entries(tree)) {
    const key = `${prefix}${name}`;
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0) {
      yield* leavesOf(value, `${key}.`);
    } else yield [key, value];
  }
}

async function explain(key: string | undefined, overrides: string[], flags: ConfigFlags): Promise<void> {
  const { explainKey, explainSections } = await import('@nautil/config');
  if (key === undefined) {
    const sections = explainSections().filter(({ key }) => key !== '');
    if (flags.json) return console.log(JSON.stringify(sections, null, 2));
    for (const { key, description } of sections) console.log(`${key.padEnd(46)}  ${description}`);
    return;
  }
  const explanation = explainKey(key);
  const now = 'keys' in explanation ? undefined : await currentValue(explanation.key, overrides, flags);
  if (flags.json) return console.log(JSON.stringify({ ...explanation, ...now }, null, 2));
  if (explanation.oldSpelling !== undefined) {
    console.log(`${explanation.oldSpelling} is an old spelling: it is read as ${explanation.key}\n`);
  }
  console.log(('keys' in explanation ? formatSection(explanation) : formatKey(explanation, now ?? {})).join('\n'));
}

interface CurrentValue {
  value?: unknown;
  writtenAt?: string | undefined;

  /** Why it can't be told. */
  refused?: string;
}

async function currentValue(key: string, overrides: string[], flags: ConfigFlags): Promise<CurrentValue> {
  const { ConfigError, loadConfig } = await import('@nautil/config');
  try {
    const { tree, writtenAt } = await loadConfig({ ...flags, overrides });
    const value = key
      .split('.')
      .reduce<unknown>(
        (at, part) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[part] : undefined),
        tree,
      );
    return { value, writtenAt: writtenAt(key) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { refused: error.message };
  }
}

function formatKey(explained: KeyExplanation, { value, writtenAt, refused }: CurrentValue): string[] {
  const { whenAbsent, noEffect, instead, versions } = explained;
  const now =
    refused !== undefined
      ? `not known, since the configuration is refused: ${refused}`
      : writtenAt === undefined
        ? 'not written anywhere, so that the default holds'
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
    ...(instead === undefined ? [] : [`  note     other values are refused: ${instead}`]),
    ...(versions === undefined ? [] : [`  history  ${versions}`]),
  ];
}

function formatSection({ key, description, keys, sections }: SectionExplanation): string[] {
  const rows = [
    ...keys.map((one) => [one.key, one.defaultText, one.description]),
    ...sections.map((one) => [one.key, '…', one.description]),
  ];
  const widths = [0, 1].map((column) => Math.min(40, Math.max(...rows.map((row) => row[column]!.length))));
  return [
    `${key}: ${description}`,
    '',
    ...rows.map(([name, value, what]) => `  ${name!.padEnd(widths[0]!)}  ${value!.padEnd(widths[1]!)}  ${what!}`),
    '',
    `\`npx nautil config explain KEY\` says more of one${sections.length > 0 ? '; … is a section' : ''}.`,
  ];
}
