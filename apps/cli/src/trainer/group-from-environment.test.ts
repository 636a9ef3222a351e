import { expect, test } from '@jest/globals';
import { expandNodeList, groupFromEnvironment } from './group-from-environment.js';

const timeouts = { join_timeout_s: 300, step_timeout_s: 120 };

const groupOf = (size: number, env: Record<string, string>, members: string[] | null = null) =>
  groupFromEnvironment({ trainer: { num_nodes: size }, nautil: { group: { members, ...timeouts } } }, env);

const torchrun = (rank: number, more: Record<string, string> = {}) => ({
  MASTER_ADDR: '127.0.0.1',
  MASTER_PORT: '29500',
  RANK: String(rank),
  GROUP_RANK: '0',
  WORLD_SIZE: '3',
  LOCAL_WORLD_SIZE: '3',
  ...more,
});

const slurm = (more: Record<string, string> = {}) => ({
  SLURM_JOB_ID: '4212345',
  SLURM_JOB_NODELIST: 'gpu[01-02,07]',
  SLURM_NTASKS: '3',
  SLURM_PROCID: '2',
  ...more,
});

test('one process has no group, also among the variables of SLURM or of a torchrun with one process', () => {
  expect(groupOf(1, {})).toBeUndefined();
  expect(groupOf(1, { ...slurm(), WORLD_SIZE: '1', RANK: '0' })).toBeUndefined();
});

test.each([
  [{ RANK: '1' }, 1],
  [{ NODE_RANK: '2' }, 2],
  [{ GROUP_RANK: '0' }, 0],
  [{ RANK: '2', GROUP_RANK: '0' }, 2], // three processes on one machine
  [{ SLURM_PROCID: '1' }, 1],
  [{ SLURM_NODEID: '1' }, 1],
  [{ RANK: '1', SLURM_PROCID: '0' }, 1], // torchrun inside a job of SLURM
  [{ RANK: '', SLURM_PROCID: '2' }, 2],
])('with nautil.group.members, %j is the process with index %d', (env, index) => {
  const members = ['a:2222', 'b:2222', '[fd00::1]:2222'];
  expect(groupOf(3, env, members)).toEqual({ members, index, joinTimeoutS: 300, stepTimeoutS: 120 });
});

test('torchrun on one machine gives the processes the ports from MASTER_PORT on', () => {
  expect(groupOf(3, torchrun(1))).toEqual({
    members: ['127.0.0.1:29500', '127.0.0.1:29501', '127.0.0.1:29502'],
    index: 1,
    joinTimeoutS: 300,
    stepTimeoutS: 120,
  });
});

test('the ports start one later when torchrun’s agent itself listens on MASTER_PORT', () => {
  const { members } = groupOf(3, torchrun(0, { TORCHELASTIC_USE_AGENT_STORE: 'True' }))!;
  expect(members).toEqual(['127.0.0.1:29501', '127.0.0.1:29502', '127.0.0.1:29503']);
  expect(groupOf(3, torchrun(0, { TORCHELASTIC_USE_AGENT_STORE: 'False' }))!.members[0]).toBe('127.0.0.1:29500');
});

test('SLURM’s node list and job id give one process on each node, all with the same port', () => {
  expect(groupOf(3, slurm())).toMatchObject({ members: ['gpu01:17345', 'gpu02:17345', 'gpu07:17345'], index: 2 });
  // A step of srun on some of the nodes of the job.
  const step = slurm({ SLURM_JOB_NODELIST: 'gpu[01-09]', SLURM_NTASKS: '9', SLURM_STEP_NODELIST: 'gpu[04-06]' });
  expect(groupOf(3, { ...step, SLURM_STEP_NUM_TASKS: '3' })?.members).toEqual([4, 5, 6].map((n) => `gpu0${n}:17345`));
});

test.each<[string, number, Record<string, string>, string[] | null, RegExp]>([
  [
    'nothing names the processes',
    2,
    {},
    null,
    /trainer.num_nodes is 2, and neither nautil.group.members nor a launcher/,
  ],
  ['only a rank is set', 2, { RANK: '0' }, null, /neither nautil.group.members/],
  [
    'no variable has an index',
    2,
    {},
    ['a:1', 'b:2'],
    /^none of RANK, NODE_RANK, GROUP_RANK, SLURM_PROCID, SLURM_NODEID/,
  ],
  [
    'the list is too short',
    3,
    { RANK: '0' },
    ['a:1', 'b:2'],
    /nautil.group.members has 2 addresses, but trainer.num_nodes is 3/,
  ],
  ['the index is too large', 2, { NODE_RANK: '2' }, ['a:1', 'b:2'], /NODE_RANK is 2, but trainer.num_nodes is 2/],
  ['the index is no number', 2, { RANK: 'one' }, ['a:1', 'b:2'], /RANK=one is not a whole number/],
  ['a port is too large', 2, { RANK: '0' }, ['a:1', 'b:65536'], /b:65536 is not host:port/],
  ['torchrun has started more processes', 2, torchrun(0), null, /WORLD_SIZE is 3, but trainer.num_nodes is 2/],
  ['the list contradicts torchrun', 2, torchrun(0), ['a:1', 'b:2'], /WORLD_SIZE is 3, but trainer.num_nodes is 2/],
  ['torchrun starts several processes of one', 1, torchrun(0), null, /WORLD_SIZE is 3, but trainer.num_nodes is 1/],
  [
    'torchrun runs on several machines',
    3,
    torchrun(0, { LOCAL_WORLD_SIZE: '1' }),
    null,
    /LOCAL_WORLD_SIZE is 1, and WORLD_SIZE 3/,
  ],
  ['torchrun names no master', 3, torchrun(0, { MASTER_ADDR: '' }), null, /MASTER_ADDR is not set/],
  ['torchrun names no port', 3, torchrun(0, { MASTER_PORT: '' }), null, /MASTER_PORT is not set/],
  ['MASTER_PORT is no number', 3, torchrun(0, { MASTER_PORT: 'tcp' }), null, /MASTER_PORT=tcp is not a whole number/],
  [
    'the ports of torchrun end too late',
    3,
    torchrun(0, { MASTER_PORT: '65534' }),
    null,
    /127.0.0.1:65536 is not host:port/,
  ],
  ['SLURM has started more tasks', 2, slurm(), null, /SLURM_NTASKS is 3, but trainer.num_nodes is 2/],
  [
    'SLURM has several tasks on a node',
    4,
    slurm({ SLURM_NTASKS: '4' }),
    null,
    /SLURM_JOB_NODELIST=gpu\[01-02,07\] has 3 nodes, but trainer.num_nodes is 4/,
  ],
  ['SLURM names no nodes', 3, slurm({ SLURM_JOB_NODELIST: '' }), null, /SLURM_JOB_NODELIST is not set/],
  [
    'SLURM’s list is malformed',
    3,
    slurm({ SLURM_JOB_NODELIST: 'gpu[1-' }),
    null,
    /SLURM_JOB_NODELIST=gpu\[1- is not a list/,
  ],
])('it is an error by name that %s', (_, size, env, members, message) => {
  expect(() => groupOf(size, env, members)).toThrow(
    expect.objectContaining({ name: 'GroupInvalid', kind: 'config', message: expect.stringMatching(message) }),
  );
});

test.each([
  ['node1', ['node1']],
  ['a,b-2', ['a', 'b-2']],
  ['gpu[01-03,07],login', ['gpu01', 'gpu02', 'gpu03', 'gpu07', 'login']],
  ['n[8-11]', ['n8', 'n9', 'n10', 'n11']],
  ['r[1-2]n[1-2]-x', ['r1n1-x', 'r1n2-x', 'r2n1-x', 'r2n2-x']],
])('the node list %s names %j', (list, names) => {
  expect(expandNodeList(list)).toEqual(names);
});

test.each([
  '',
  ',',
  'a,',
  'n[1',
  'n1]',
  'n[]',
  'n[2-1]',
  'n[a-b]',
  'n[1-2-3]',
  'n[[1]]',
  'a b',
  'n[0-999999999]',
  'n[1-999]m[1-999]',
])('the malformed or huge node list %j is refused', (list) => {
  expect(expandNodeList(list)).toBeUndefined();
});
