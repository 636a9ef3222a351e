import { type Command, Option } from 'commander';
import { counted } from '@nautil/contracts';
import type { CollectedGarbage } from '@nautil/store/garbage';
import { examples } from '../help.js';
import { ageMs, byteCount } from '../option-values.js';
import { printJson, printMessage, printResult } from '../output.js';

interface GcFlags {
  dryRun?: true;
  olderThan: number;
  keep?: number;
  models?: true;
  json?: true;
}

const defaultAge = '30d';

export function addStore(program: Command): void {
  const store = program
    .command('store')
    .summary('show what takes disk space, and free it')
    .description(
      'Shows the content of Nautil’s state folder by kind and size. `nautil store gc` removes what nothing needs.',
    )
    .option('--json', 'print the kinds as JSON')
    .addHelpText('after', examples('store', 'store gc --dry-run', 'store gc --older-than 7d'))
    .action(showSizes);
  store
    .command('gc')
    .summary('remove what no run needs')
    .description(
      'Removes stage outputs, objects and the folders of ended runs that have not been used for some time. It keeps what a run with an ' +
        'open workflow may need, and what has not been sent to MLflow (`nautil runs sync`).',
    )
    .option('--dry-run', 'show what would be removed, and remove nothing')
    .addOption(
      new Option('--older-than <age>', 'keep what was used within this time, so that it can be resumed: 30d, 12h')
        .argParser(ageMs)
        .default(ageMs(defaultAge), defaultAge),
    )
    .addOption(
      new Option(
        '--keep <size>',
        'remove only the least recently used, of any age, until the rest takes at most this much: 20GB. Keeps also what unfinished runs need, which can be resumed',
      ).argParser(byteCount),
    )
    .option('--models', 'also remove the models that old runs left in their folders, where model.nemo_path was not set')
    .option('--json', 'print what was removed and kept as JSON')
    .addHelpText(
      'after',
      examples(
        'store gc --dry-run',
        'store gc --older-than 7d',
        'store gc --keep 20GB',
        'store gc --older-than 0d --models',
      ),
    )
    // NOTE: `--json` is an option of both commands, and commander assigns it to the outer one.
    .action((_flags: GcFlags, command: Command) => {
      const flags = command.optsWithGlobals<GcFlags>();
      const anyAge = flags.keep !== undefined && command.getOptionValueSource('olderThan') === 'default';
      return collect(anyAge ? { ...flags, olderThan: 0 } : flags);
    });
}

async function showSizes({ json }: { json?: true }): Promise<void> {
  const { formatBytes, freeBytesAt } = await import('@nautil/store');
  const { nautilHome } = await import('@nautil/store/folders');
  const { measureHome } = await import('@nautil/store/garbage');
  const kinds = await measureHome();
  if (json) return printJson(kinds);
  const [inside, outside] = [kinds.filter((kind) => !kind.outside), kinds.filter((kind) => kind.outside)];
  for (const { kind, count, sizeBytes: bytes, collectable } of inside)
    await printResult(
      [formatBytes(bytes).padStart(12), kind.padEnd(20), collectable ? `${count}` : ''].join('  ').trimEnd(),
    );
  const total = inside.reduce((sum, kind) => sum + kind.sizeBytes, 0);
  const free = await freeBytesAt(nautilHome());
  await printResult(
    `${formatBytes(total).padStart(12)}  in ${nautilHome()}${free === undefined ? '' : `, ${formatBytes(free)} free`}`,
  );
  for (const { path, count, sizeBytes: bytes } of outside)
    await printResult(`${formatBytes(bytes).padStart(12)}  in ${path}, ${counted(count, 'log folder')} of runs`);
}

async function collect({ dryRun: isDryRun, olderThan, keep, models, json }: GcFlags): Promise<void> {
  const dryRun = isDryRun === true;
  const { collectGarbage } = await import('@nautil/store/garbage');
  const { findOpenRuns } = await import('../open-runs.js');
  const { interruption } = await import('../interruption.js');
  const { reasonToKeep, close } = await findOpenRuns({ keepsUnfinished: keep !== undefined });
  try {
    const usedBeforeMs = Date.now() - olderThan;
    const found = await collectGarbage({
      usedBeforeMs,
      keepBytes: keep,
      reasonToKeep,
      models,
      dryRun,
      signal: interruption,
    });
    if (json) await printJson({ dryRun, ...found });
    else await show(found, { dryRun, usedBeforeMs });
  } finally {
    await close();
  }
}

async function show({ removed, kept, usedBefore }: CollectedGarbage, o: { dryRun: boolean; usedBeforeMs: number }) {
  const { formatBytes } = await import('@nautil/store');
  for (const { kind, path, sizeBytes, lastUsed } of removed)
    await printResult(`${formatBytes(sizeBytes).padStart(12)}  ${kind.padEnd(16)}  used ${day(lastUsed)}  ${path}`);
  for (const { path, why } of kept) printMessage(`kept ${path}: ${why}`);
  if (usedBefore.getTime() < o.usedBeforeMs)
    printMessage(`kept everything used since ${day(usedBefore)}, a day before the oldest run that is kept began`);
  const total = removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const items = counted(removed.length, 'item');
  if (removed.length === 0) await printResult('nothing to remove');
  else await printResult(`${items}, ${formatBytes(total)}${o.dryRun ? ' would be removed' : ' removed'}`);
}

const day = (date: Date): string => date.toISOString().slice(0, 10);
