import { ConfigError, EnvironmentValues } from '@nautil/config';
import type { ResolvedRun } from '@nautil/contracts';
import { environmentVariable } from '@nautil/store';
import { defaultFolder, nautilHome } from '@nautil/store/folders';
import { EnvironmentInvalid } from './errors.js';

/** The values of the environment that the configuration of a run uses. */
export const environmentOf = (run: Pick<ResolvedRun, 'fromEnvironment'> | undefined): EnvironmentValues =>
  environmentNamed(run?.fromEnvironment?.names ?? []);

/** Words in the results of stages by which workflows and the command line decide, such as `scores.split`. */
const wordsOfResults = ['test', 'best', 'last', 'completed', 'early-stopped', 'stopped'];

/**
 * The values of some variables, except those that every run shows: folders with the state folder or the working folder in them,
 * and words of results.
 */
export const environmentNamed = (names: readonly string[]): EnvironmentValues =>
  new EnvironmentValues(
    names.filter((name) => !wordsOfResults.includes(process.env[name] ?? '')),
    { places: [process.cwd(), defaultFolder(), nautilHome()] },
  );

/** The run with references in place of the values. The names that Nautil itself gives stay: Temporal has no queue of another name. */
export function concealRun(run: ResolvedRun): ResolvedRun {
  const { workflowId, runKey, home, queues } = run;
  return { ...environmentOf(run).conceal(run), workflowId, runKey, queues, ...(home !== undefined && { home }) };
}

/** The run with the values of the environment in its paths. The texts that are only shown keep the references. */
export function revealRun(run: ResolvedRun): ResolvedRun {
  const { experiment, model, dataset, notes } = run;
  return { ...environmentOf(run).reveal(run), experiment, model, dataset, notes };
}

/**
 * The names in NAUTIL_ENV_ALLOWED: the variables that a worker reads for the runs that come from its task queue.
 *
 * @throws EnvironmentInvalid for the secret of groups, which a run could otherwise copy into file names and logs
 */
export function allowedVariables(): string[] {
  const names = (environmentVariable('NAUTIL_ENV_ALLOWED') ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (!names.includes('NAUTIL_GROUP_SECRET')) return names;
  throw new EnvironmentInvalid(
    'NAUTIL_ENV_ALLOWED lets runs read NAUTIL_GROUP_SECRET, which is for the workers alone',
    {
      hint: 'remove it from NAUTIL_ENV_ALLOWED',
    },
  );
}

/**
 * Checks that a worker may read the variables of a run, which another worker resolved or whose history was written by someone else.
 *
 * @throws ConfigError
 */
export function requireAllowed(run: Pick<ResolvedRun, 'fromEnvironment'>, allowed: readonly string[]): void {
  const refused = (run.fromEnvironment?.names ?? []).filter((name) => !allowed.includes(name));
  if (refused.length === 0) return;
  throw new ConfigError([
    {
      message: `this worker does not read the environment variable ${refused.join(', ')} for a run`,
      hint: [
        `start it with NAUTIL_ENV_ALLOWED=${refused.join(',')}; all workers of a run need the same variables and the same list`,
      ],
    },
  ]);
}
