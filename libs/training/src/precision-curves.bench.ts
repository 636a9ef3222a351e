/**
 * Compares the losses of trainings in float32, bfloat16 and float16, from the same start with the same batches and dropout, for several seeds. Prints a
 * Markdown table.
 *
 *   node --import tsx libs/training/src/precision-curves.bench.ts [--seeds 1,2,3] [--epochs 6]
 *
 * The model and the data are golden's tiny ones. The processor computes in float16 as a GPU does.
 */
import { parseArgs } from 'node:util';
import { openTinyRun } from './testing/tiny-run.js';
import { trainClassifier } from './train.js';

const { values: o } = parseArgs({
  options: { seeds: { type: 'string', default: '1,2,3' }, epochs: { type: 'string', default: '6' } },
});
process.env['NAUTIL_FLOAT16_ON_CPU'] = '1';
const precisions = [32, 'bf16-mixed', '16-mixed'] as const;
const names = { 32: 'float32', 'bf16-mixed': 'bfloat16', '16-mixed': 'float16' };
const tiny = await openTinyRun();

/** The losses of all steps, and of the validation after each epoch. */
async function curve(seed: number, precision: (typeof precisions)[number]) {
  const job = await tiny.job(`${precision} ${seed}`, [
    `nautil.seed=${seed}`,
    `trainer.max_epochs=${o.epochs}`,
    'trainer.limit_train_batches=1.0',
    'trainer.limit_val_batches=1.0',
  ]);
  const losses: number[] = [];
  const validations: number[] = [];
  // Not as an override: on a processor, the configuration reads 16 as bf16-mixed.
  const config = { ...job.config, trainer: { ...job.config.trainer, precision } };
  await trainClassifier(
    { ...job, config },
    {
      onProgress: (event) => {
        if (event.type === 'step') losses.push(event.loss);
        if (event.type === 'eval') validations.push(event.loss);
      },
    },
  );
  return { losses, validations };
}

const print = (cells: readonly (string | number)[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);
const epochs = Array.from({ length: Number(o.epochs) }, (_, epoch) => epoch);
print(['seed', 'format', ...epochs.map((epoch) => `epoch ${epoch + 1}`), 'largest difference of a step']);
print(Array.from({ length: epochs.length + 3 }, () => '---'));
for (const seed of o.seeds.split(',').map(Number)) {
  let reference: number[] | undefined;
  for (const precision of precisions) {
    const { losses, validations } = await curve(seed, precision);
    reference ??= losses;
    const differences = losses.map((loss, step) => Math.abs(loss - reference![step]!));
    const largest = differences.reduce((most, difference) => Math.max(most, difference), 0);
    print([
      seed,
      names[precision],
      ...validations.map((loss) => loss.toFixed(4)),
      precision === 32 ? '' : largest.toFixed(5),
    ]);
  }
}
await tiny.remove();
