import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type Config, experimentName } from '@nautil/config';
import { defineError, largest } from '@nautil/contracts';
import { createFolder, syncFolder } from '@nautil/store/folders';
import { localTime } from './experiment-log.js';
import { recordedLast } from './kept-checkpoints.js';

/** The log folder of a run, and the checkpoint that it resumes from. */
export interface LogDir {
  /** Absolute path of the created folder. */
  folder: string;

  /** The checkpoint that `resume_if_exists` found. */
  resumeFrom?: string;
  warnings: string[];
}

/** `resume_if_exists` is set, but the folder has no single checkpoint to resume from. */
export class CannotResume extends defineError('CannotResume', 'config') {}

/**
 * Creates the log folder of a run as NeMo's exp_manager does: `exp_dir/name/version`. Every call creates another version, so
 * call it once per run.
 *
 * @param o.cwd - base of relative paths; without `exp_dir`, `nemo_experiments` is created in it
 * @throws CannotResume
 */
export async function createLogDir(o: { manager: Config['exp_manager']; cwd: string; now?: Date }): Promise<LogDir> {
  const { manager } = o;
  const warnings: string[] = [];
  const wanted = await folderOf(manager, o.cwd, o.now ?? new Date());
  if (!manager.resume_if_exists) return { folder: await claim(wanted, warnings), warnings };
  const resumeFrom = await checkpointToResume(wanted, manager, warnings);
  await createFolder(wanted);
  await moveOldFiles(wanted);
  return { folder: wanted, warnings, ...(resumeFrom === undefined ? {} : { resumeFrom }) };
}

/**
 * The checkpoint from which `createLogDir` would let a run resume. Creates nothing.
 *
 * @throws CannotResume
 */
export async function resumePoint({
  manager,
  cwd,
}: {
  manager: Config['exp_manager'];
  cwd: string;
}): Promise<Pick<LogDir, 'resumeFrom' | 'warnings'>> {
  const warnings: string[] = [];
  if (!manager.resume_if_exists) return { warnings };
  const resumeFrom = await checkpointToResume(await folderOf(manager, cwd, new Date()), manager, warnings);
  return { warnings, ...(resumeFrom === undefined ? {} : { resumeFrom }) };
}

/** What a run writes at the top of its folder. Programs other than Nautil may have written it, such as NeMo and Hydra. */
const writtenByRuns =
  /^(?:cmd-args\.log|git-info\.log|hparams\.yaml|label_ids\.tsv|nemo_(?:error_)?log.*\.txt|lightning_logs\.txt|events\.out\.tfevents\..*|checkpoints|config)$/;

/**
 * Claims the folder, or a numbered sibling when it has files of another run, so that two runs never mix their files, and no run
 * replaces those of another. NeMo mixes them.
 */
async function claim(wanted: string, warnings: string[]): Promise<string> {
  for (let number = 0; ; number++) {
    const folder = number === 0 ? wanted : `${wanted}_${number}`;
    await createFolder(folder);
    if ((await readdir(folder)).some((name) => writtenByRuns.test(name))) continue;
    try {
      // Creating this file exclusively is the claim; trials of a sweep may race for it.
      await writeFile(join(folder, 'cmd-args.log'), '', { flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      continue;
    }
    if (number > 0) warnings.push(`${wanted} belongs to another run; this run uses ${folder}`);
    return folder;
  }
}

async function folderOf(manager: Config['exp_manager'], cwd: string, now: Date): Promise<string> {
  const { exp_dir, explicit_log_dir, use_datetime_version } = manager;
  const version = manager.version === null ? null : String(manager.version);
  if (explicit_log_dir) return resolve(cwd, explicit_log_dir);
  const runs = resolve(cwd, exp_dir ?? 'nemo_experiments', experimentName(manager));
  if (version) return join(runs, version);
  if (manager.resume_if_exists) return runs; // without a version, so that the next start finds the same folder
  const time = localTime(now).replace(' ', '_').replaceAll(':', '-');
  return claimVersion(runs, (use_datetime_version ?? true) ? time : undefined);
}

/** Creates the folder of an unused version; concurrent runs get different versions. */
async function claimVersion(runs: string, time: string | undefined): Promise<string> {
  await createFolder(runs);
  for (let number = time === undefined ? await nextVersion(runs) : 0; ; number++) {
    const version = time === undefined ? `version_${number}` : number === 0 ? time : `${time}_${number}`;
    const folder = join(runs, version);
    try {
      await mkdir(folder);
      await syncFolder(runs);
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** One above the highest number, so that the number of a deleted version is not reused. */
async function nextVersion(runs: string): Promise<number> {
  const numbers = (await readdir(runs)).map((name) => Number(/^version_(\d+)$/.exec(name)?.[1] ?? -1));
  return largest([-1, ...numbers]) + 1;
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
  if (ended[0] !== undefined && !manager.resume_past_end) {
    throw new CannotResume(`${join(checkpoints, ended[0])} is the checkpoint of a run that has ended`, {
      hint: 'set exp_manager.resume_past_end=true to continue it',
    });
  }
  const found = ended.length > 0 ? ended : last;
  if (found.length === 0) {
    if (!manager.resume_ignore_no_checkpoint) {
      throw new CannotResume(`there is no checkpoint to resume from in ${checkpoints}`, {
        hint: 'set exp_manager.resume_ignore_no_checkpoint=true to start a new training in that case',
      });
    }
    warnings.push(`there is no checkpoint in ${checkpoints}: training starts from the beginning`);
    return undefined;
  }
  const recorded = await recordedLast(checkpoints);
  const chosen = found.length === 1 ? found[0] : found.find((file) => file === recorded);
  if (chosen === undefined) {
    throw new CannotResume(`${checkpoints} has several last checkpoints: ${found.sort().join(', ')}`, {
      hint: 'move all but one of them to another folder',
    });
  }
  return join(checkpoints, chosen);
}

/** Moves the files of the previous start into `run_0`, `run_1`, …; folders stay. */
async function moveOldFiles(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  if (files.length === 0) return;
  const before = entries.filter((entry) => entry.isDirectory() && /^run_\d+$/.test(entry.name));
  const target = join(folder, `run_${before.length}`);
  await createFolder(target);
  for (const { name } of files) await rename(join(folder, name), join(target, name));
  for (const changed of [target, folder]) await syncFolder(changed);
}
