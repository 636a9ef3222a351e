import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { link } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Config, loadConfig } from '@nautil/config';
import type { JsonObject, TrainEvent } from '@nautil/contracts';
import { ExperimentFolder, readEvents } from '@nautil/nemo';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath } from '@nautil/testing';
import { trainClassifier } from '@nautil/training';
import { openTinyRun, type TinyRun } from '@nautil/training/testing';

const recorded = (name: string): string => readFileSync(goldenPath('nemo/run_artifacts', name), 'utf8');

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'nautil-experiment-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

async function expManager(...overrides: string[]): Promise<Config['exp_manager']> {
  const { config } = await loadConfig({ overrides: overrides.map((one) => `exp_manager.${one}`) });
  return config.exp_manager;
}

describe('what a run leaves', () => {
  let run: TinyRun;
  beforeAll(async () => (run = await openTinyRun()));
  afterAll(() => run.remove());

  /** Trains while a log folder is written; training crashes at the first event for which `until` is true. */
  async function train(name: string, folder: string, until: (event: TrainEvent) => boolean = () => false) {
    const job = await run.job(name);
    const manager = { ...job.config.exp_manager, name: 'Tiny' };
    const experiment = await ExperimentFolder.open({ folder, manager });
    let newest = '';
    let committed = 0;
    const events: TrainEvent[] = [];
    try {
      const write = (path: string) => link(newest, path);
      await trainClassifier(job, {
        async onProgress(event) {
          if (until(event)) throw new Error('crash');
          events.push(event);
          await experiment.onProgress(event, write);
        },
        async onCommitted(checkpoint) {
          newest = checkpoint.path;
          committed += 1;
          await experiment.onCommitted(checkpoint, write);
        },
      });
    } catch (error) {
      if ((error as Error).message !== 'crash') throw error;
    } finally {
      await experiment.close();
    }
    return { experiment, events, committed };
  }

  test('has the names of NeMo’s, and the report in its log', async () => {
    const { experiment, events } = await train('whole', cwd);
    await experiment.begin({ command: ['train', 'a=b c'], model: { nemo_path: 'm.nemo' }, cwd });
    const listed = recorded('exp_dir_listing.txt')
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0]!.split('/').slice(2).join('/'));
    const general = (name: string): string =>
      name
        .replace(/^checkpoints\/\w+?--val_loss=\d+\.\d{4}-/, 'checkpoints/…')
        .replace(/^(events\.out\.tfevents)\..*/, '$1')
        .replace(/^checkpoints\/\w+\.nemo$/, 'checkpoints/….nemo');
    const left = readdirSync(cwd, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile() && !file.name.startsWith('.'))
      .map((file) => relative(cwd, join(file.parentPath, file.name)))
      .concat(relative(cwd, experiment.nemoPath!)); // written by whoever packages
    const names = new Set(left.map(general));
    const expected = new Set(listed.map(general));
    expect([...names].sort()).toEqual([...expected].sort());

    const done = events.at(-1)!;
    expect(done.type).toBe('done');
    const evaluated = events.filter((event) => event.type === 'eval');
    const log = readFileSync(join(cwd, 'nemo_log_globalrank-0_localrank-0.txt'), 'utf8');
    expect(log.match(/val_report: \n {4}label/g)).toHaveLength(evaluated.length);
    const lightning = readFileSync(join(cwd, 'lightning_logs.txt'), 'utf8').trim().split('\n');
    expect(lightning.at(-1)).toBe('`Trainer.fit` stopped: `max_epochs=2` reached.');
    expect(lightning[0]).toBe('GPU available: False, used: False');
    expect(lightning[1]).toMatch(
      /^Epoch 0, global step \d+: 'val_loss' reached (\d\.\d{5}) \(best \1\), saving model to '.*\/Tiny--val_loss=\d\.\d{4}-epoch=0\.ckpt' as top 3$/,
    );
  });

  test('is the same after a crash in the second epoch', async () => {
    await train('unbroken', join(cwd, 'unbroken'));
    const crashing = join(cwd, 'crashing');
    const { events, committed } = await train(
      'crashing',
      crashing,
      (event) => event.type === 'step' && event.epoch === 1,
    );
    expect(committed).toBeGreaterThan(0);
    expect(events.at(-1)!.type).not.toBe('done');
    await train('crashing', crashing);
    const checkpoints = (name: string) =>
      readdirSync(join(cwd, name, 'checkpoints'))
        .filter((file) => !file.startsWith('.'))
        .sort();
    expect(checkpoints('crashing')).toEqual(checkpoints('unbroken'));

    const losses = async (name: string) => {
      const file = readdirSync(join(cwd, name)).find((one) => one.startsWith('events.out'))!;
      const rows: [number, number][] = [];
      for await (const { step, summary } of readEvents(join(cwd, name, file))) {
        for (const { tag, simple_value } of summary?.value ?? [])
          if (tag === 'train_loss') rows.push([step ?? 0, simple_value!]);
      }
      return rows;
    };
    expect(await losses('crashing')).toEqual(await losses('unbroken'));
  });
});

test('cmd-args.log and hparams.yaml are NeMo’s, to the letter but for the folding of long lines', async () => {
  const manager = await expManager('create_tensorboard_logger=false');
  const experiment = await ExperimentFolder.open({ folder: cwd, manager });
  const command = recorded('cmd-args.log').split(' ');
  // PyYAML goes on in a further line, with neither dash nor colon, after 80 columns.
  const hparams = recorded('hparams.yaml').replace(/\n +(?=[^-\s:][^:\n]*\n)/g, ' ');
  const { parse } = await import('yaml');
  const { target, nemo_version, ...model } = (parse(hparams) as { cfg: JsonObject }).cfg;
  expect([target, nemo_version]).toEqual([expect.any(String), expect.any(String)]);
  await experiment.begin({ command, model, cwd });
  expect(readFileSync(join(cwd, 'cmd-args.log'), 'utf8')).toBe(recorded('cmd-args.log'));
  expect(readFileSync(join(cwd, 'hparams.yaml'), 'utf8')).toBe(hparams);
  expect(existsSync(join(cwd, 'git-info.log'))).toBe(false);
  await experiment.begin({ command, model, cwd: packageRoot() });
  expect(readFileSync(join(cwd, 'git-info.log'), 'utf8')).toMatch(/^commit hash: [0-9a-f]{40}\n/);
});

test('warnings are in the log of errors, too, and those of events are not printed here', async () => {
  const manager = await expManager('create_tensorboard_logger=false');
  const printed: string[] = [];
  const folder = await ExperimentFolder.open({ folder: cwd, manager, echo: (entry) => printed.push(entry) });
  const { log } = folder;
  log.info('a', 'one');
  log.warn('b', 'two\nlines');
  const read = (name: string): string => readFileSync(join(cwd, name), 'utf8');
  expect(read('nemo_error_log.txt')).toMatch(/^\[Nautil W \d{4}-\d\d-\d\d \d\d:\d\d:\d\d b\] two\n {4}lines\n$/);
  expect(read('nemo_log_globalrank-0_localrank-0.txt')).toMatch(/^\[Nautil I .* a\] one\n\[Nautil W/);
  await folder.onProgress({ type: 'warning', message: 'three' }, () => Promise.resolve());
  expect(read('nemo_error_log.txt')).toMatch(/ training\] three\n$/);
  expect(printed).toEqual([expect.stringMatching(/a\] one$/), expect.stringMatching(/b\] two\n {4}lines$/)]);
});
