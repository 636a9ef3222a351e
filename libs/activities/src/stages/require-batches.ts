import { type BatchAmount, batchesIn, type Config } from '@nautil/config';
import { counted, defineError } from '@nautil/contracts';
import { countBatches, statedDevices } from '@nautil/training';

/** A run that would train, validate or test on no batch at all, so that its result would mean nothing. */
class NoBatches extends defineError('NoBatches', 'config') {}

/** A run with settings that depend on validations, and without a validation. */
class NoValidation extends defineError('NoValidation', 'config') {}

const splits = {
  train: { section: 'train_ds', limitKey: 'limit_train_batches' },
  validation: { section: 'validation_ds', limitKey: 'limit_val_batches' },
  test: { section: 'test_ds', limitKey: 'limit_test_batches' },
} as const;

/** The batches of a split. Every device that trains gets `batch_size` rows of a batch; one device validates and tests. */
function datasetOf(split: keyof typeof splits, { model, trainer }: Pick<Config, 'model' | 'trainer'>) {
  const dataset = model[splits[split].section];
  return split === 'train' ? { ...dataset, batch_size: dataset.batch_size * statedDevices(trainer) } : dataset;
}

/** Whether `trainer.limit_val_batches` or `limit_test_batches` is 0, which switches the split off, as in Lightning. */
export const isSwitchedOff = (split: 'validation' | 'test', { trainer }: Pick<Config, 'trainer'>): boolean =>
  trainer[splits[split].limitKey] === 0;

/**
 * Checks that training takes at least one step, that every split in use has at least one batch, and that the run validates if
 * it has a validation set or settings that depend on one.
 *
 * @throws NoBatches, NoValidation
 */
export function requireBatches(
  config: Pick<Config, 'model' | 'trainer' | 'exp_manager'>,
  examples: { train: number; validation?: number; test?: number },
): void {
  const { trainer } = config;
  for (const key of ['max_epochs', 'max_steps'] as const) {
    if (trainer[key] !== 0) continue;
    throw new NoBatches(`trainer.${key}=0 trains nothing`, {
      hint: `set trainer.${key} to 1 or more; \`npx nautil evaluate\` evaluates a model without training`,
    });
  }
  for (const split of ['train', 'validation', 'test'] as const) {
    const rows = examples[split];
    if (rows === undefined || (split !== 'train' && isSwitchedOff(split, config))) continue;
    requireBatch(split, config, rows);
  }
  if (examples.validation === undefined || isSwitchedOff('validation', config)) {
    requireNoMonitor(config, {
      why: 'the run has none',
      remedy: 'model.validation_ds.file_path (and trainer.limit_val_batches above 0)',
    });
    return;
  }
  requireValidationInEpoch(config, examples.train);
  const stepsBefore = stepsToFirstValidation(config, examples.train);
  const { max_steps: maxSteps } = trainer;
  if (maxSteps !== null && maxSteps > 0 && maxSteps < stepsBefore)
    requireNoMonitor(config, {
      why: `trainer.max_steps=${maxSteps} ends the run before the first one, after ${counted(stepsBefore, 'step')}`,
      remedy: `trainer.max_steps to ${stepsBefore} or more, a smaller trainer.val_check_interval`,
    });
}

function stepsToFirstValidation({ model, trainer }: Pick<Config, 'model' | 'trainer'>, rows: number): number {
  const { val_check_interval: interval, limit_train_batches: limit, accumulate_grad_batches: accumulate } = trainer;
  const perEpoch = countBatches({ rows, dataset: datasetOf('train', { model, trainer }), limit });
  return Math.ceil(Math.max(1, Math.trunc(batchesIn(interval, perEpoch))) / accumulate);
}

/** Checks that an evaluation falls into every epoch. Lightning rejects such an interval, too. */
function requireValidationInEpoch({ model, trainer }: Pick<Config, 'model' | 'trainer'>, rows: number): void {
  const { val_check_interval: interval, limit_train_batches: limit } = trainer;
  const perEpoch = countBatches({ rows, dataset: datasetOf('train', { model, trainer }), limit });
  if (Math.trunc(batchesIn(interval, perEpoch)) <= perEpoch) return;
  throw new NoBatches(
    `trainer.val_check_interval=${interval} is more than the ${counted(perEpoch, 'training batch', 'training batches')} of an epoch, so that the run would never validate`,
    { hint: `set trainer.val_check_interval to at most ${perEpoch} batches, or to 1.0 for the end of each epoch` },
  );
}

/** Checks that no setting depends on the values of validations, of which the run has none. */
function requireNoMonitor(
  { model, exp_manager }: Pick<Config, 'model' | 'exp_manager'>,
  { why, remedy }: { why: string; remedy: string },
): void {
  const settings: [key: string, isOn: boolean, off: string][] = [
    [
      'exp_manager.checkpoint_callback_params.save_best_model=true',
      exp_manager.checkpoint_callback_params.save_best_model,
      'exp_manager.checkpoint_callback_params.save_best_model=false',
    ],
    [
      'exp_manager.create_early_stopping_callback=true',
      exp_manager.create_early_stopping_callback,
      'exp_manager.create_early_stopping_callback=false',
    ],
    [
      'model.optim.sched.name=ReduceLROnPlateau',
      model.optim.sched?.name === 'ReduceLROnPlateau',
      'model.optim.sched.name to another schedule',
    ],
  ];
  for (const [setting, isOn, off] of settings) {
    if (!isOn) continue;
    throw new NoValidation(`${setting} needs the results of validations, and ${why}`, {
      hint: `set ${remedy}, or ${off}`,
    });
  }
}

/**
 * Checks that a split has at least one batch.
 *
 * @throws NoBatches that names the key
 */
export function requireBatch(
  split: keyof typeof splits,
  { model, trainer }: Pick<Config, 'model' | 'trainer'>,
  rows: number,
): void {
  const { section, limitKey } = splits[split];
  const dataset = datasetOf(split, { model, trainer });
  const limit: BatchAmount = trainer[limitKey];
  if (countBatches({ rows, dataset, limit }) > 0) return;
  if (rows === 0) throw new NoBatches(`model.${section} has no example`, { hint: `set model.${section}.file_path` });
  const all = countBatches({ rows, dataset, limit: null });
  const devices = dataset.batch_size / model[section].batch_size;
  throw all === 0
    ? new NoBatches(
        `model.${section}: drop_last=true drops an incomplete batch, and ${counted(rows, 'example')} ${rows === 1 ? 'does' : 'do'} not fill one of batch_size ${model[section].batch_size}${devices === 1 ? '' : ` on ${devices} devices`}`,
        {
          hint: `set model.${section}.drop_last=false, or model.${section}.batch_size to ${Math.max(1, Math.floor(rows / devices))} or less`,
        },
      )
    : new NoBatches(`trainer.${limitKey}=${limit} of ${counted(all, 'batch', 'batches')} is no batch`, {
        hint: `set trainer.${limitKey} to a whole number of batches (1 or more), or to a fraction of at least ${1 / all}`,
      });
}
