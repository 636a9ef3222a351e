import { InvalidArgumentError, Option, type Command } from 'commander';
import type { CollectedGarbage } from '@nautil/store/garbage';
import { examples } from '../program.js';

interface GcFlags {
  dryRun?: boolean;
  olderThan: number;
  models?: boolean;
  json?: boolean;
}

const dayMs = 24 * 3600 * 1000;

export function register(program: Command): void {
  const store = program
    .command('store')
    .summary('show what takes room on the disk, and give it back')
    .description(
      'Shows what Nautil’s state folder holds, by kind and size. `nautil store gc` removes what nothing needs.',
    )
    .option('--json', 'print the kinds as JSON')
    .addHelpText('after', examples('store', 'store gc --dry-run', 'store gc --older-than 7d'))
    .action(showSizes);
  store
    .command('gc')
    .summary('remove what no run needs')
    .description(
      'Removes outputs of stages, objects and folders of runs that ended, when they were not used for so long. What a run whose ' +
        'workflow is open may need stays, and so does a journal that MLflow has not got yet (`nautil runs sync`).',
    )
    .option('--dry-run', 'show what would be removed, and remove nothing')
    .addOption(
      new Option('--older-than <age>', 'what was used since then stays, and can be resumed: 30d, 12h')
        .argParser(age)
        .default(30 * dayMs, '30d'),
    )
    .option('--models', 'also the models that old runs left in their folders, where model.nemo_path was not set')
    .option('--json', 'print what was removed and kept as JSON')
    .addHelpText(
      'after',
      examples('store gc --dry-run', 'store gc --older-than 7d', 'store gc --older-than 0d --models'),
    )
    // NOTE: `--json` is an option of both commands, and commander gives it to the first that knows it.
    .action((_flags: GcFlags, command: Command) => collect(command.optsWithGlobals<GcFlags>()));
}

async function showSizes({ json }: { json?: boolean }): Promise<void> {
  const { formatBytes, freeBytesAt, nautilHome } = await import('@nautil/store');
  const { measureHome } = await import('@nautil/store/garbage');
  const kinds = await measureHome();
  if (json) return console.log(JSON.stringify(kinds, null, 2));
  for (const { kind, count, sizeBytes, collectable } of kinds)
    console.log(
      [formatBytes(sizeBytes).padStart(12), kind.padEnd(20), collectable ? `${count}` : ''].join('  ').trimEnd(),
    );
  const total = kinds.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const free = await freeBytesAt(nautilHome());
  console.log(
    `${formatBytes(total).padStart(12)}  in ${nautilHome()}${free === undefined ? '' : `, ${formatBytes(free)} free`}`,
  );
}

async function collect({ dryRun = false, olderThan, models, json }: GcFlags): Promise<void> {
  const { collectGarbage } = await import('@nautil/store/garbage');
  const { openRunsKnown } = await import('../open-runs.js');
  const { interruption } = await import('../interruption.js');
  const { reasonToKeep, close } = await openRunsKnown();
  try {
    const usedBeforeMs = Date.now() - olderThan;
    const found = await collectGarbage({ usedBeforeMs, reasonToKeep, models, dryRun, signal: interruption });
    if (json) console.log(JSON.stringify({ dryRun, ...found }, null, 2));
    else await show(found, { dryRun, usedBeforeMs });
  } finally {
    await close();
  }
}

async function show({ removed, kept, usedBefore }: CollectedGarbage, o: { dryRun: boolean; usedBeforeMs: number }) {
  const { formatBytes } = await import('@nautil/store');
  for (const { kind, path, sizeBytes, lastUsed } of removed)
    console.log(`${formatBytes(sizeBytes).padStart(12)}  ${kind.padEnd(16)}  used ${day(lastUsed)}  ${path}`);
  for (const { path, why } of kept) console.error(`kept ${path}: ${why}`);
  if (usedBefore.getTime() < o.usedBeforeMs)
    console.error(`what was used since ${day(usedBefore)}, when the oldest run that is kept began, was kept with it`);
  const total = removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const things = `${removed.length} ${removed.length === 1 ? 'thing' : 'things'}`;
  if (removed.length === 0) console.log('nothing to remove');
  else console.log(`${things}, ${formatBytes(total)}${o.dryRun ? ' would be removed' : ' removed'}`);
}

const day = (date: Date): string => date.toISOString().slice(0, 10);

function age(text: string): number {
  const [, count, unit] = /^(\d{1,5})([dh])$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError('an age is a number of days or hours: 30d, 12h.');
  return Number(count) * (unit === 'd' ? dayMs : dayMs / 24);
}
