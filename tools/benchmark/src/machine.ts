import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { type Static, Type } from '@sinclair/typebox';

export const machineSchema = Type.Object(
  {
    cpu: Type.String(),

    /** Logical processors that this process may use: the number of threads of both sides. */
    cores: Type.Integer(),
    memoryGb: Type.Number(),
    instructions: Type.Array(Type.String()),

    /** The name of the first GPU of NVIDIA. */
    gpu: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);

export type Machine = Static<typeof machineSchema>;

/** The instruction sets that matrix multiplications use. */
const relevant = ['avx2', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_tile', 'amx_bf16'];

export function describeMachine(cpuInfo = readFileSync('/proc/cpuinfo', 'utf8'), gpu = firstGpu()): Machine {
  const fieldOf = (key: string): string => new RegExp(`^${key}\\s*: (.*)$`, 'm').exec(cpuInfo)?.[1] ?? '';
  const flags = new Set(fieldOf('flags').split(' '));
  return {
    cpu: fieldOf('model name'),
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1e8) / 10,
    instructions: relevant.filter((name) => flags.has(name)),
    ...(gpu === undefined ? {} : { gpu }),
  };
}

/** Undefined without nvidia-smi, or if it lists none. */
function firstGpu(): string | undefined {
  try {
    const output = execFileSync('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader'], { stdio: 'pipe' });
    const [first = ''] = output.toString().trim().split('\n');
    return first === '' ? undefined : first;
  } catch {
    return undefined;
  }
}

export const hasBfloat16 = ({ instructions }: Machine): boolean =>
  instructions.includes('avx512_bf16') || instructions.includes('amx_bf16');
