import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { experimentName, type Config } from '@nautil/config';
import { defineError } from '@nautil/contracts';
import { localTime } from './experiment-log.js';
import { recordedLast } from './kept-checkpoints.js';

/** Where a run's files go, and what it goes on from. */
export interface ExperimentPlace {
  /** Absolute; it exists. */
  folder: string;

  /** The checkpoint that `resume_if_exists` found. */
  resumeFrom?: string;
  warnings: string[];
}

/** `resume_if_exists` is set, and the folder does not say what to go on from. */
export class CannotResume extends defineError('CannotResume', 'config') {}

/**
 * Finds and makes the folder of a run as NeMo's exp_manager does: `exp_dir/name/version`. Call it once a run and keep the
 * folder: the next call gives the next version.
 *
 * @param o.cwd - where relative paths start, and `nemo_experiments` is made when there is no `exp_dir`.
 * @throws CannotResume
 */
export async function placeExperiment(o: {
  manager: Config['exp_manager'];
  cwd: string;
  now?: Date;
}): Promise<ExperimentPlace> {
  const { manager } = o;
  const warnings: string[] = [];
  const wanted = await folderOf(manager, o.cwd, o.now ?? new Date(), warnings);
  if (!manager.resume_if_exists) return { folder: await claim(wanted, warnings), warnings };
  const resumeFrom = await checkpointToResume(wanted, manager, warnings);
  await mkdir(wanted, { recursive: true });
  await moveOldFiles(wanted);
  return { folder: wanted, warnings, ...(resumeFrom === undefined ? {} : { resumeFrom }) };
}

/** The folder, or one beside it when another run has it: what two runs leave in one folder is of neither. */
async function claim(wanted: string, warnings: string[]): Promise<string> {
  for (let number = 0; ; number++) {
    const folder = number === 0 ? wanted : `${wanted}_${number}`;
    await mkdir(folder, { recursive: true });
    try {
      // The first file that a run leaves; trials of a sweep may come at the same moment.
      await writeFile(join(folder, 'cmd-args.log'), '', { flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      continue;
    }
    if (number > 0) warnings.push(`${wanted} is another run's: files go to ${folder}`);
    return folder;
  }
}

async function folderOf(manager: Config['exp_manager'], cwd: string, now: Date, warnings: string[]): Promise<string> {
  const { exp_dir, explicit_log_dir, use_datetime_version } = manager;
  const version = manager.version === null ? null : String(manager.version);
  if (explicit_log_dir) {
    const folder = resolve(cwd, explicit_log_dir);
    if (exp_dir || version) warnings.push('exp_manager.explicit_log_dir is set: exp_dir and version are not looked at');
    return folder;
  }
  const runs = resolve(cwd, exp_dir ?? 'nemo_experiments', experimentName(manager));
  if (version) return join(runs, version);
  if (manager.resume_if_exists) return runs; // the next start must find it
  const time = localTime(now).replace(' ', '_').replaceAll(':', '-');
  return claimVersion(runs, (use_datetime_version ?? true) ? time : undefined);
}

/** Makes the folder of a version that nobody has, also when several runs start at once. */
async function claimVersion(runs: string, time: string | undefined): Promise<string> {
  await mkdir(runs, { recursive: true });
  for (let number = time === undefined ? await nextVersion(runs) : 0; ; number++) {
    const version = time === undefined ? `version_${number}` : number === 0 ? time : `${time}_${number}`;
    const folder = join(runs, version);
    try {
      await mkdir(folder);
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** One more than the highest, so that a version that was deleted in between is not used again. */
async function nextVersion(runs: string): Promise<number> {
  const numbers = (await readdir(runs)).map((name) => Number(/^version_(\d+)$/.exec(name)?.[1] ?? -1));
  return Math.max(-1, ...numbers) + 1;
}

async function checkpointToResume(
  folder: string,
  manager: Config['exp_manager'],
  warnings: string[],
): Promise<string | undefined> {
  const checkpoints = join(folder, 'checkpoints');
  const files = (await readdir(checkpoints, { recursive: true }).catch((): string[] => [])).filter(
    (file) => !basename(file).startsWith('.'),
  );
  const ended = files.filter((file) => file.endsWith('end.ckpt'));
  const last = files.filter((file) => file.endsWith('last.ckpt'));
  if (ended.length > 0 && !manager.resume_past_end) {
    throw new CannotResume(`${join(checkpoints, ended[0]!)} is the checkpoint of a run that has ended`, {
      hint: 'set exp_manager.resume_past_end=true to go on with it',
    });
  }
  const found = ended.length > 0 ? ended : last;
  if (found.length === 0) {
    if (!manager.resume_ignore_no_checkpoint) {
      throw new CannotResume(`there is no checkpoint to go on from in ${checkpoints}`, {
        hint: 'set exp_manager.resume_ignore_no_checkpoint=true to start anew when there is none',
      });
    }
    warnings.push(`there is no checkpoint in ${checkpoints}: training starts anew`);
    return undefined;
  }
  const recorded = await recordedLast(checkpoints);
  const chosen = found.length === 1 ? found[0] : found.find((file) => file === recorded);
  if (chosen === undefined) {
    throw new CannotResume(`${checkpoints} holds several last checkpoints: ${found.sort().join(', ')}`, {
      hint: 'move all but one of them away',
    });
  }
  return join(checkpoints, chosen);
}

/** The logs of the start before go to `run_0`, `run_1`, …; folders stay. */
async function moveOldFiles(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  if (files.length === 0) return;
  const before = entries.filter((entry) => entry.isDirectory() && /^run_\d+$/.test(entry.name));
  const target = join(folder, `run_${before.length}`);
  await mkdir(target, { recursive: true });
  for (const { name } of files) await rename(join(folder, name), join(target, name));
}
