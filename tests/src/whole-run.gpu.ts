import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { TrainEvent } from '@nautil/contracts';
import { Trainers } from '@nautil/trainer-process';
import { tinyRun } from './testing/local-stack.js';
import { programEnvironment } from './testing/program-environment.js';
import { StagedRun } from './testing/staged-run.js';

// All stages of a run, whose training and evaluation are processes of their own on a leased GPU.

const home = mkdtempSync(join(tmpdir(), 'nautil-gpu-'));
const trainers = new Trainers(programEnvironment(home));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const short = ['trainer.accelerator=gpu', 'trainer.max_epochs=2', 'model.nemo_path=null'];

async function run(runKey: string, more: string[] = []): Promise<{ events: TrainEvent[]; sha256: string }> {
  const events: TrainEvent[] = [];
  const staged = await StagedRun.open({
    home,
    runKey,
    overrides: [...tinyRun, ...short, ...more],
    trainer: (o) =>
      trainers.run({
        ...o,
        onProgress: (event) => {
          events.push(event);
          void o.onProgress?.(event);
        },
      }),
  });
  const { model } = await staged.run();
  return { events, sha256: model.lastWeights.sha256 };
}

test('a run trains on the GPU, states it at the start, and runs of one configuration end with the same bytes', async () => {
  const first = await run('first');
  const start = first.events.find((event) => event.type === 'start');
  expect(start).toMatchObject({ arithmetic: expect.stringContaining('GPU:0') });
  process.stdout.write(`${JSON.stringify(start)}\n`);
  expect((await run('second', ['exp_manager.name=second'])).sha256).toBe(first.sha256);
}, 300_000);
