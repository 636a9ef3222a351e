import {
  type Config,
  ConfigError,
  gridOf,
  loadConfig,
  parseSweep,
  sampleOf,
  type Sweep,
  userPath,
} from '@nautil/config';
import { counted, defineError, maxTrials, type SweepPlan, type SweepRequest, type SweepTrial } from '@nautil/contracts';
import { isHttp } from '@nautil/store/download';
import { defaultFolder } from '@nautil/store/folders';
import { environmentNamed } from './run-environment.js';
import { isTable } from './stages/find-tables.js';
import { experimentOf } from './stages/resolve-run.js';
import { resultDigestOf } from './stages/run-settings.js';

/** The requested sweep cannot be run as it is. */
export class SweepRefused extends defineError('SweepRefused', 'usage') {}

/** With a shared path, each trial would overwrite the model of the previous one; instead, each stays in its run's folder. */
const separateModels = 'model.nemo_path=null';

const readableIdLength = 80;

/**
 * Parses the overrides, lists or draws the combinations, and composes the configuration of each, so that a mistake in any of
 * them is reported before the first trial starts. A combination that is drawn twice is one trial.
 *
 * @param o.cwd - base of relative paths if the request has none; default: the checkout or the current folder
 * @throws ConfigError for an invalid key or value; SweepRefused if nothing varies, or too much
 */
export async function planSweep(
  request: SweepRequest,
  o: { cwd?: string; allowedEnv?: readonly string[] } = {},
): Promise<SweepPlan> {
  const { config: configName, configPath, sweepId } = request;
  const cwd = request.cwd ?? o.cwd ?? defaultFolder();
  const sweep = parseSweep(request.overrides);
  const combinations = combinationsOf(sweep, request);

  const variesNames = sweep.axes.some(({ key }) => key === 'model.nemo_path');
  const fixed = variesNames ? sweep.fixed : [...sweep.fixed, separateModels];
  const trials = new Map<string, SweepTrial>();
  let experiment = '';
  for (const overrides of combinations) {
    const { config, fromEnvironment } = await explaining(
      overrides,
      loadConfig({ configName, configPath, overrides: [...fixed, ...overrides], cwd, allowedEnv: o.allowedEnv }),
    );
    if (trials.size === 0) await refuseObjective(request, config, cwd);
    experiment ||= environmentNamed(fromEnvironment.names).conceal(experimentOf(config));
    const digest = resultDigestOf(config, { paths: true });
    if (trials.has(digest)) continue;
    const workflowId = `${sweepId}-${readable(overrides)}-${digest.slice(0, 8)}`;
    trials.set(digest, { number: trials.size + 1, workflowId, overrides });
  }
  const twice = combinations.length - trials.size;
  return {
    experiment,
    fixed,
    trials: [...trials.values()],
    notes: [
      ...(variesNames ? [] : ['model.nemo_path is left out: the model of each trial stays in the folder of its run']),
      ...(twice > 0
        ? [
            `${counted(twice, 'duplicate')} among the ${combinations.length} combinations ${twice === 1 ? 'is' : 'are'} left out`,
          ]
        : []),
    ],
  };
}

/** The varying overrides of each combination, without the fixed ones. */
function combinationsOf({ axes }: Sweep, { random, seed = 1 }: SweepRequest): string[][] {
  if (axes.length === 0) {
    throw new SweepRefused('nothing varies: no override has several values', {
      hint: 'give one several values, as in model.optim.lr=1e-5,2e-5, or start a single run with `npx nautil run`',
    });
  }
  const count =
    random ?? axes.reduce((product, axis) => product * (axis.kind === 'choice' ? axis.overrides.length : 1), 1);
  if (count > maxTrials) {
    throw new SweepRefused(`${count} trials are more than a sweep may have (${maxTrials})`, {
      hint: 'draw some of them with --random N, or vary less',
    });
  }
  const varying = { axes, fixed: [] };
  return random === undefined ? gridOf(varying) : sampleOf(varying, random, seed);
}

/**
 * Adds the combination to the hint of an error. The number of an override is removed: the user wrote a trial's overrides in
 * another order, or not at all.
 */
async function explaining<T>(overrides: string[], composing: Promise<T>): Promise<T> {
  try {
    return await composing;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const combination = `in the combination ${overrides.join(' ')}`;
    throw new ConfigError(
      error.problems.map(({ origin, ...problem }) => {
        const hint = [...(problem.hint ?? []), combination];
        if (origin?.kind !== 'override') return { ...problem, origin, hint };
        const namesKey = problem.key !== undefined && problem.message.includes(problem.key);
        return { ...problem, message: namesKey ? problem.message : `${origin.text}: ${problem.message}`, hint };
      }),
      error,
    );
  }
}

/** NOTE: the splits of `nautil.data.source` are not known yet. If one is missing, its trials have no score in the table. */
async function refuseObjective(
  { objective }: SweepRequest,
  { model, nautil }: Config,
  cwd: string | undefined,
): Promise<void> {
  if (nautil.data.source !== null) return;
  const [split] = objective.split('/');
  const [key, dataset] = split === 'test' ? ['test_ds', model.test_ds] : ['validation_ds', model.validation_ds];
  if (dataset.file_path !== null) return;
  if (split !== 'test' && (await splitsOffValidation({ model, nautil }, cwd))) return;
  throw new SweepRefused(`trials cannot be compared by ${objective}: model.${key}.file_path is not set`, {
    hint: `set model.${key}.file_path, or compare by another score with --objective`,
  });
}

/** Whether a part of the training data becomes the validation set: always of a table, unless the configuration says otherwise. */
async function splitsOffValidation({ model, nautil }: Pick<Config, 'model' | 'nautil'>, cwd = '.'): Promise<boolean> {
  const { validation_fraction: fraction } = nautil.data;
  const { file_path: train } = model.train_ds;
  if (fraction !== null || train === null || isHttp(train)) return fraction !== 0 && train !== null;
  return isTable(userPath(cwd, train), nautil.data).catch(() => false); // the run reports what is wrong with the file
}

/** `lr=1e-05,max_epochs=2`: the last part of each key with its value, reduced to the characters of a readable id. */
function readable(overrides: string[]): string {
  const parts = overrides.map((override) => override.replace(/^[+~]*(?:[\w-]+[./@])*/, ''));
  return parts
    .join(',')
    .replaceAll(/[^\w.=,-]+/g, '-')
    .slice(0, readableIdLength);
}
