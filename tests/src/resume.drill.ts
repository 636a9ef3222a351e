import { createHash, randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { TrainEvent } from '@nautil/contracts';
import { openTensors } from '@nautil/formats';
import type { RunningTask } from '@nautil/trainer-process';
import { printLine, short } from './testing/drill.js';
import { tinyRun, until } from './testing/local-stack.js';
import { StagedRun } from './testing/staged-run.js';

// Real trainer processes are killed with SIGKILL at random points of a run: each run ends with the bytes of an undisturbed one.

const killsPerRun = 3;
const runsPerConfiguration = 5;
const seed = Number(process.env['DRILL_SEED'] ?? randomInt(2 ** 31));

const home = mkdtempSync(join(tmpdir(), 'nautil-resume-'));
const faults = join(home, 'faults');
const homeBefore = process.env['NAUTIL_HOME'];
afterAll(() => {
  if (homeBefore === undefined) delete process.env['NAUTIL_HOME'];
  else process.env['NAUTIL_HOME'] = homeBefore;
  rmSync(home, { recursive: true, force: true });
});

/** A live event or a committed checkpoint. */
type RunEvent = TrainEvent | { type: 'checkpoint'; step: number };

interface Ended {
  /** SHA-256 of each output of a run. */
  digests: Record<string, string>;
  events: RunEvent[];
}

/** Runs all stages. Training is killed at each point, in the order in which it reaches them, and restarted. */
async function run(name: string, overrides: string[], points: string[]): Promise<Ended> {
  await writeFile(faults, points.map((point) => `hold ${point}\n`).join(''));
  const staged = await StagedRun.open({ home, runKey: name, overrides, faults });
  const events: RunEvent[] = [];
  let checkpoint = '';
  const { model, evaluated, packaged } = await staged.run({
    training: {
      onProgress: (event) => void events.push(event),
      onCommitted: ({ step }) => void events.push({ type: 'checkpoint', step }),
      onStarted: (trainer) => void isHeld(trainer).then((held) => held && trainer.kill()),
    },
    around: async (stage, work) => {
      // A run that has its archive keeps no checkpoints.
      if (stage === 'package')
        checkpoint = await checkpointDigest(join(staged.resolved.folder, 'training/checkpoints'));
      if (stage !== 'train') return work();
      for (let left = points.length; left > 0; left -= 1) await expect(work()).rejects.toThrow(/SIGKILL/);
      expect(await pendingPoints()).toEqual([]);
      return work();
    },
  });
  const digests = {
    last: model.lastWeights.sha256,
    best: model.bestWeights!.sha256,
    checkpoint,
    events: sha256(timeless(await readFile(model.events.path, 'utf8'))),
    report: sha256(JSON.stringify(evaluated.report)),
    nemo: packaged.nemo.sha256,
  };
  return { digests, events };
}

const pendingPoints = async (): Promise<string[]> => (await readFile(faults, 'utf8')).split('\n').filter(Boolean);

/** Resolves with true once the trainer is held at a point, and with false if it ends without that. */
async function isHeld(trainer: RunningTask): Promise<boolean> {
  const count = (await pendingPoints()).length;
  let left = count;
  await until(async () => {
    left = (await pendingPoints()).length;
    return left < count || trainer.isOver;
  });
  return left < count;
}

const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** Removes times and speeds, which differ between any two runs. */
const timeless = (text: string): string =>
  text.replace(/"(timestampMs|examplesPerSecond|tokensPerSecond|secondsLeft)":[^,}]+/g, '"$1":0');

/** Digest of the newest checkpoint: weights, optimizer state and progress, without the events that are not yet logged. */
async function checkpointDigest(folder: string): Promise<string> {
  const newest = (await readdir(folder))
    .filter((name) => name.endsWith('.safetensors'))
    .sort()
    .at(-1)!;
  const source = await openTensors(join(folder, newest));
  const hash = createHash('sha256').update(newest);
  const { events: _, ...progress } = JSON.parse(source.metadata['progress']!) as Record<string, unknown>;
  hash.update(JSON.stringify(progress));
  for (const name of source.names().sort()) hash.update(name).update(await source.readFloat32(name));
  await source.close();
  return hash.digest('hex');
}

/** Every point at which a run can be held, in order. */
function pointsOf(events: RunEvent[]): string[] {
  const points: string[] = [];
  for (const event of events) {
    if (event.type === 'step') points.push(`train step ${event.step}`);
    if (event.type === 'eval') points.push(`evaluation step ${event.step}`);
    if (event.type === 'checkpoint') points.push(`checkpoint step ${event.step}`, `log step ${event.step}`);
  }
  return [...points, 'weights best', 'weights last'];
}

/** mulberry32: the same seed gives the same kills. */
function randomFrom(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pick<T>(items: readonly T[], count: number, random: () => number): T[] {
  const left = [...items];
  return Array.from({ length: count }, () => left.splice(Math.floor(random() * left.length), 1)[0]!);
}

test.each([
  ['batches of similar length', true],
  ['batches of mixed length', false],
])('a run killed at random points ends with the same bytes, with %s', async (name, bucketed) => {
  const random = randomFrom(seed + Number(bucketed));
  const overrides = [
    ...tinyRun,
    `nautil.batches.bucket_by_length=${bucketed}`,
    'nautil.checkpoint_every_n_steps=3',
    'model.optim.lr=1e-3',
    'model.classifier_head.fc_dropout=0.2',
    'trainer.max_epochs=2',
    'trainer.limit_train_batches=10',
    'trainer.limit_val_batches=3',
    'trainer.accumulate_grad_batches=2',
  ];
  const whole = await run(`${name}, whole`, overrides, []);
  for (let i = 1; i <= runsPerConfiguration; i++) {
    const points = pick(pointsOf(whole.events), killsPerRun, random);
    const begun = performance.now();
    const { digests } = await run(`${name}, ${i}`, overrides, points);
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    printLine(
      `${name}: trainer killed at ${points.join(', ')} (seed ${seed}): .nemo ${short(digests['nemo']!)}, undisturbed ${short(whole.digests['nemo']!)}, ${seconds} s`,
    );
    expect(digests).toEqual(whole.digests);
  }
});
