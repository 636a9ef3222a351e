import type { Config } from '@nautil/config';
import { counted, defineError, parseMemberAddress } from '@nautil/contracts';
import type { TrainingGroup } from '@nautil/training';

/** The configuration and the environment do not describe one group of processes. */
class GroupInvalid extends defineError('GroupInvalid', 'config') {}

type Environment = Readonly<Record<string, string | undefined>>;

/** An empty variable counts as one that is not set. */
function variable(env: Environment, name: string): string | undefined {
  const value = env[name];
  return value === '' ? undefined : value;
}

interface Settings {
  trainer: Pick<Config['trainer'], 'num_nodes'>;
  nautil: Pick<Config['nautil'], 'group'>;
}

/** Variables with the index of a process, the more specific ones first: torchrun's, Lightning's, SLURM's. */
const indexNames = ['RANK', 'NODE_RANK', 'GROUP_RANK', 'SLURM_PROCID', 'SLURM_NODEID'] as const;

/** Lightning derives a port from the id of a SLURM job in the same way. */
const firstSlurmPort = 15_000;

/**
 * The processes that train a run without Temporal, and which of them this one is: by `nautil.group.members`, else by the variables of
 * torchrun (all processes on one machine) or of SLURM (one process on each node).
 *
 * @returns undefined when one process trains
 * @throws GroupInvalid that names the variable or the key
 */
export function groupFromEnvironment({ trainer, nautil }: Settings, env: Environment): TrainingGroup | undefined {
  const size = trainer.num_nodes;
  if (size === 1) {
    requireOneProcess(env);
    return undefined;
  }
  const { members: listed, join_timeout_s: joinTimeoutS, step_timeout_s: stepTimeoutS } = nautil.group;
  const members = listed ?? membersOf(env, size);
  if (members.length !== size)
    throw new GroupInvalid(
      `nautil.group.members has ${counted(members.length, 'address', 'addresses')}, but trainer.num_nodes is ${size}`,
      { hint: 'list the host:port of each process, or correct trainer.num_nodes' },
    );
  const wrong = members.find((address) => parseMemberAddress(address) === undefined);
  if (wrong !== undefined)
    throw new GroupInvalid(`${wrong} is not host:port with a port from 1 to 65535`, {
      hint: 'correct nautil.group.members, or the variables that it is derived from',
    });
  requireSize(env, size);
  return { members, index: indexOf(env, size), joinTimeoutS, stepTimeoutS };
}

/** Several processes that train the same run one by one would be a mistake. Other programs of a SLURM job may do that on purpose. */
function requireOneProcess(env: Environment): void {
  const size = numberIn(env, 'WORLD_SIZE');
  if (size === undefined || size <= 1 || variable(env, 'RANK') === undefined) return;
  throw new GroupInvalid(`WORLD_SIZE is ${size}, but trainer.num_nodes is 1: each process would train the whole run`, {
    hint: `set trainer.num_nodes=${size}, or start one process: it uses all of trainer.devices`,
  });
}

/** Checks the number of processes that the launcher has started. */
function requireSize(env: Environment, size: number): void {
  const name = sizeNames[launcherOf(env)].find((candidate) => variable(env, candidate) !== undefined);
  const launched = name && numberIn(env, name);
  if (name === undefined || launched === undefined || launched === size) return;
  throw new GroupInvalid(`${name} is ${launched}, but trainer.num_nodes is ${size}`, {
    hint: `set trainer.num_nodes=${launched}, or start ${size} processes`,
  });
}

/** Variables with the number of processes, by launcher. SLURM's are that of the step of `srun`, or else that of the job. */
const sizeNames: Record<'torchrun' | 'slurm' | 'none', readonly string[]> = {
  torchrun: ['WORLD_SIZE'],
  slurm: ['SLURM_STEP_NUM_TASKS', 'SLURM_NTASKS', 'SLURM_NNODES'],
  none: [],
};

/** torchrun may run inside a job of SLURM, which then has started one torchrun on each machine. */
function launcherOf(env: Environment): keyof typeof sizeNames {
  if (variable(env, 'WORLD_SIZE') !== undefined) return 'torchrun';
  return ['SLURM_JOB_ID', 'SLURM_PROCID'].every((name) => variable(env, name) !== undefined) ? 'slurm' : 'none';
}

function indexOf(env: Environment, size: number): number {
  const name = indexNames.find((candidate) => variable(env, candidate) !== undefined);
  if (name === undefined)
    throw new GroupInvalid(`none of ${indexNames.join(', ')} is set, so this process has no index`, {
      hint: `set RANK to 0 for the first process of nautil.group.members, and to ${size - 1} for the last`,
    });
  const index = numberIn(env, name) ?? NaN;
  if (index < size) return index;
  throw new GroupInvalid(`${name} is ${index}, but trainer.num_nodes is ${size}: indexes start at 0`, {
    hint: `set ${name} to a number from 0 to ${size - 1}, or correct trainer.num_nodes`,
  });
}

function membersOf(env: Environment, size: number): string[] {
  switch (launcherOf(env)) {
    case 'torchrun':
      return membersOfTorchrun(env, size);
    case 'slurm':
      return membersOfSlurm(env, size);
    case 'none':
      throw new GroupInvalid(
        `trainer.num_nodes is ${size}, and neither nautil.group.members nor a launcher names the processes`,
        {
          hint: [
            `start the command ${size} times, each with RANK=0 to RANK=${size - 1} and 'nautil.group.members=[HOST0:PORT,HOST1:PORT]'`,
            'or with torchrun (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT) or srun (SLURM_JOB_ID, SLURM_PROCID, SLURM_JOB_NODELIST)',
          ].join('\n'),
        },
      );
  }
}

/** torchrun names only the host of the first process. */
function membersOfTorchrun(env: Environment, size: number): string[] {
  requireSize(env, size);
  const local = numberIn(env, 'LOCAL_WORLD_SIZE');
  if (local !== size)
    throw new GroupInvalid(
      `LOCAL_WORLD_SIZE is ${local ?? 'not set'}, and WORLD_SIZE ${size}: torchrun's variables name only the first of several machines`,
      { hint: "list all processes: 'nautil.group.members=[HOST0:PORT,HOST1:PORT]'" },
    );
  const host = required(env, 'MASTER_ADDR');
  // torchrun's agent itself listens on MASTER_PORT in that case.
  const first = requiredNumber(env, 'MASTER_PORT') + (env['TORCHELASTIC_USE_AGENT_STORE'] === 'True' ? 1 : 0);
  return Array.from({ length: size }, (_, index) => `${bracketed(host)}:${first + index}`);
}

/** One process on each node of the job, in the order of the list. */
function membersOfSlurm(env: Environment, size: number): string[] {
  requireSize(env, size);
  const name = variable(env, 'SLURM_STEP_NODELIST') === undefined ? 'SLURM_JOB_NODELIST' : 'SLURM_STEP_NODELIST';
  const list = required(env, name);
  const hosts = expandNodeList(list);
  if (hosts === undefined) throw new GroupInvalid(`${name}=${list} is not a list of nodes`, { hint: listMembers });
  if (hosts.length !== size)
    throw new GroupInvalid(`${name}=${list} has ${counted(hosts.length, 'node')}, but trainer.num_nodes is ${size}`, {
      hint: `start one process on each node (--nodes=${size} --ntasks-per-node=1), or ${listMembers}`,
    });
  const port = firstSlurmPort + (requiredNumber(env, 'SLURM_JOB_ID') % 10_000);
  return hosts.map((host) => `${host}:${port}`);
}

const listMembers = "list the processes in 'nautil.group.members=[HOST0:PORT,HOST1:PORT]'";

/** The most nodes that a list may name, so that `n[0-999999999]` is an error and not a memory overflow. */
const mostNodes = 100_000;

/**
 * The names in a list of SLURM, such as `gpu[01-03,07],login` or `r[1-2]n[1-3]`: several brackets of a name are combined, the last
 * varying fastest.
 *
 * @returns undefined when the list is malformed
 */
export function expandNodeList(list: string): string[] | undefined {
  const names: string[] = [];
  for (const item of splitOutsideBrackets(list)) {
    const parts = /^(?:[^[\],\s]|\[[\d,-]+\])+$/.test(item) ? item.split(/(\[[^\]]*\])/) : undefined;
    if (parts === undefined) return undefined;
    let expanded = [''];
    for (const part of parts) {
      const values = part.startsWith('[') ? expandRanges(part.slice(1, -1)) : [part];
      if (values === undefined || expanded.length * values.length + names.length > mostNodes) return undefined;
      expanded = expanded.flatMap((start) => values.map((value) => `${start}${value}`));
    }
    for (const name of expanded) names.push(name);
  }
  return names;
}

const splitOutsideBrackets = (list: string): string[] => list.split(/,(?![^[]*\])/);

/** `01-03,07` → 01, 02, 03, 07. The numbers of a range have the width of its first one. */
function expandRanges(text: string): string[] | undefined {
  const values: string[] = [];
  for (const range of text.split(',')) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
    if (first === undefined || last === undefined) return undefined;
    const [from, to] = [Number(first), Number(last)];
    if (to < from || values.length + to - from >= mostNodes) return undefined;
    for (let value = from; value <= to; value++) values.push(String(value).padStart(first.length, '0'));
  }
  return values;
}

const bracketed = (host: string): string => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host);

function required(env: Environment, name: string): string {
  const value = variable(env, name);
  if (value !== undefined) return value;
  throw new GroupInvalid(`${name} is not set, so the addresses of the processes are unknown`, {
    hint: `set it, or ${listMembers}`,
  });
}

const requiredNumber = (env: Environment, name: string): number => asNumber(name, required(env, name));

/** Undefined when the variable is not set. */
function numberIn(env: Environment, name: string): number | undefined {
  const text = variable(env, name);
  return text === undefined ? undefined : asNumber(name, text);
}

function asNumber(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new GroupInvalid(`${name}=${text} is not a whole number`, { hint: `correct ${name}, or unset it` });
}
