import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { TrainEvent } from '@nautil/contracts';
import type { TrainingGroup, TrainJob } from './job.js';
import type { FromMember, ToMember } from './testing/group-member.js';
import { openTinyRun, type TinyRun } from './testing/tiny-run.js';
import { trainClassifier } from './train.js';

let tiny: TinyRun;
beforeAll(async () => (tiny = await openTinyRun()));
afterAll(() => tiny.remove());

type Outcome = Extract<FromMember, { type: 'done' | 'failed' }> | { type: 'died' };

/** A process of a group. */
class Member {
  readonly losses: number[] = [];
  readonly outcome: Promise<Outcome>;
  readonly #child: ChildProcess;

  constructor(job: TrainJob, onStep: (step: number, member: Member) => void) {
    this.#child = fork(fileURLToPath(new URL('./testing/group-member.ts', import.meta.url)), {
      execArgv: ['--import', 'tsx'],
      // Jest's own option is not meant for the members.
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    this.outcome = new Promise((resolve) => {
      this.#child.on('message', (message: FromMember) => {
        if (message.type === 'step') {
          this.losses.push(message.loss);
          onStep(message.step, this);
        } else if (message.type !== 'warning') resolve(message);
      });
      this.#child.on('exit', () => {
        resolve({ type: 'died' });
      });
    });
    this.#send({ type: 'run', job });
  }

  stop(): void {
    this.#send({ type: 'stop' });
  }

  signal(signal: 'SIGKILL' | 'SIGSTOP'): void {
    this.#child.kill(signal);
  }

  #send(message: ToMember): void {
    this.#child.send(message);
  }
}

/** Starts the members of a group, and waits for their outcomes; one that a test has stopped counts as one that died. */
async function runGroup(
  jobs: TrainJob[],
  onStep: (index: number, step: number, member: Member) => void = () => undefined,
): Promise<{ outcomes: Outcome[]; members: Member[] }> {
  const members = jobs.map((job, index) => new Member(job, (step, member) => onStep(index, step, member)));
  try {
    const frozen = new Promise<Outcome>((resolve) => {
      void Promise.race(members.map((member) => member.outcome)).then(() =>
        setTimeout(() => {
          resolve({ type: 'died' });
        }, 20_000).unref(),
      );
    });
    const outcomes = await Promise.all(members.map((member) => Promise.race([member.outcome, frozen])));
    return { outcomes, members };
  } finally {
    for (const member of members) member.signal('SIGKILL');
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) =>
          server.listen(0, '127.0.0.1', () => {
            resolve((server.address() as { port: number }).port);
          }),
        ),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** The jobs of three members, with one device each. */
async function jobsOf(name: string, group: Partial<TrainingGroup> = {}, overrides: string[] = []): Promise<TrainJob[]> {
  const members = (await freePorts(3)).map((port) => `127.0.0.1:${port}`);
  return Promise.all(
    members.map(async (_, index) => {
      const job = await tiny.job(index === 0 ? name : `${name} member ${index}`, [
        'model.train_ds.batch_size=4',
        'trainer.gradient_clip_val=1.0',
        ...overrides,
      ]);
      const digests = { data: 'tiny' };
      return { ...job, digests, group: { members, index, joinTimeoutS: 60, stepTimeoutS: 3, ...group } };
    }),
  );
}

const bytesOf = async ([outcome]: Outcome[]): Promise<Buffer> => {
  if (outcome?.type !== 'done') throw new Error(JSON.stringify(outcome));
  return readFile(outcome.lastWeights!);
};

let undisturbed: Buffer;
beforeAll(async () => {
  const { outcomes, members } = await runGroup(await jobsOf('undisturbed'));
  expect(outcomes).toMatchObject([{ type: 'done' }, { type: 'done' }, { type: 'done' }]);
  // All members know the loss of the whole batch.
  expect(members[1]!.losses).toEqual(members[0]!.losses);
  expect(members[2]!.losses).toEqual(members[0]!.losses);
  undisturbed = await bytesOf(outcomes);
}, 120_000);

test('three processes take the steps of one process with three devices, to the bit', async () => {
  const job = await tiny.job('one process', [
    'model.train_ds.batch_size=4',
    'trainer.gradient_clip_val=1.0',
    'trainer.devices=3',
  ]);
  const { lastWeights } = await trainClassifier({ ...job, digests: { data: 'tiny' } });
  expect(undisturbed.equals(await readFile(lastWeights))).toBe(true);
});

test('in float16, three processes also skip and take the steps of one with three devices, to the bit', async () => {
  process.env['NAUTIL_FLOAT16_ON_CPU'] = '1';
  try {
    const inFloat16 = (job: TrainJob): TrainJob => ({
      ...job,
      digests: { data: 'tiny' },
      // Not as an override: on a processor, the configuration reads precision 16 as bf16-mixed.
      config: { ...job.config, trainer: { ...job.config.trainer, precision: '16-mixed' } },
    });
    const scale = 'nautil.loss_scale=1e9'; // with which the first steps overflow
    const { outcomes } = await runGroup((await jobsOf('float16', {}, [scale])).map(inFloat16));
    const single = await tiny.job('float16 in one process', [
      'model.train_ds.batch_size=4',
      'trainer.gradient_clip_val=1.0',
      'trainer.devices=3',
      scale,
    ]);
    const warnings: string[] = [];
    const onProgress = (event: TrainEvent): void => {
      if (event.type === 'warning') warnings.push(event.message);
    };
    const { lastWeights } = await trainClassifier(inFloat16(single), { onProgress });
    expect(warnings.join()).toMatch(/steps 1 to \d were skipped/);
    expect((await bytesOf(outcomes)).equals(await readFile(lastWeights))).toBe(true);
  } finally {
    delete process.env['NAUTIL_FLOAT16_ON_CPU'];
  }
}, 120_000);

test.each([
  ['that is killed', 'SIGKILL', 2],
  ['that freezes', 'SIGSTOP', 1],
  ['that is killed, the chief,', 'SIGKILL', 0],
] as const)(
  'a member %s is named by the others, and the next attempt ends with the same bytes',
  async (_, signal, victim) => {
    const jobs = await jobsOf(`disturbed ${victim}`);
    const { outcomes } = await runGroup(jobs, (index, step, member) => {
      if (index === victim && step === 8) member.signal(signal);
    });
    const address = jobs[0]!.group!.members[victim]!;
    for (const [index, outcome] of outcomes.entries()) {
      if (index === victim) expect(outcome).toEqual({ type: 'died' });
      else
        expect(outcome).toMatchObject({
          name: 'MembersLost',
          message: `member ${victim} (${address}) no longer answers member ${index} (${jobs[0]!.group!.members[index]}): the training cannot go on without all members`,
        });
    }
    const again = (await jobsOf(`disturbed ${victim}`)).map((job, index) => ({ ...job, folder: jobs[index]!.folder }));
    const { outcomes: second, members } = await runGroup(again);
    expect(members[0]!.losses.length).toBeLessThan(10); // it has gone on from a checkpoint
    expect((await bytesOf(second)).equals(undisturbed)).toBe(true);
  },
  120_000,
);

test('members that do not start in time are named', async () => {
  const jobs = await jobsOf('missing', { joinTimeoutS: 4 });
  const { outcomes } = await runGroup(jobs.slice(0, 2));
  const { members } = jobs[0]!.group!;
  for (const [index, outcome] of outcomes.entries())
    expect(outcome).toMatchObject({
      name: 'MembersMissing',
      message: `member 2 (${members[2]}) did not answer member ${index} (${members[index]}) within 4 s: the training needs all 3 members`,
    });
}, 120_000);

test.each([
  ['data', { digests: { data: 'other' } }],
  ['config', { digests: { data: 'tiny', config: 'other' } }],
  ['inputs', { digests: { data: 'tiny', tokenizer: 'x' } }],
])(
  'a member with different %s is named by all members',
  async (what, other) => {
    const jobs = (await jobsOf(`differing ${what}`)).map((job, index) => ({
      ...job,
      digests: { data: 'tiny', config: 'a' },
      ...(index === 1 && { ...other, digests: { config: 'a', ...other.digests } }),
    }));
    const { outcomes } = await runGroup(jobs);
    const { members } = jobs[0]!.group!;
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({
        name: 'MembersDiffer',
        message: `member 1 (${members[1]}) has different ${what} from member 0 (${members[0]})`,
      });
  },
  120_000,
);

test('a stop that one member requests ends all of them after the same step', async () => {
  const jobs = await jobsOf('stopped');
  const { outcomes } = await runGroup(jobs, (index, step, member) => {
    if (index === 2 && step === 4) member.stop();
  });
  const steps = outcomes.map((outcome) => {
    expect(outcome).toMatchObject({ name: 'TrainingInterrupted' });
    return /stopped at step (\d+)/.exec((outcome as { message: string }).message)![1];
  });
  expect(new Set(steps).size).toBe(1);
}, 120_000);

test('a stop ends the wait for the other members at once', async () => {
  const [job] = await jobsOf('stopped while joining', { joinTimeoutS: 100 });
  const member = new Member(job!, () => undefined);
  try {
    member.stop();
    expect(await member.outcome).toMatchObject({
      name: 'TrainingInterrupted',
      message: expect.stringContaining('stopped before all members of the group had answered'),
    });
  } finally {
    member.signal('SIGKILL');
  }
}, 60_000);
