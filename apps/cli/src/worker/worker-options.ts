import { parseArgs } from 'node:util';
import { defaultTaskQueue, UsageError } from '@nautil/contracts';

export const roles = ['cpu', 'gpu', 'all'] as const;
export type Role = (typeof roles)[number];

export interface WorkerSettings {
  role: Role;
  taskQueue: string;

  /** Trainings and evaluations at a time; each takes a whole device. */
  trainings: number;
}

/** Reads the worker's command line; undefined when it asks for help. */
export function parseWorkerOptions(args: string[]): WorkerSettings | undefined {
  const { values } = parse(args);
  if (values.help) return undefined;
  const { role, 'task-queue': taskQueue, trainings } = values;
  if (!isRole(role)) throw new UsageError(`--role is ${role}, not cpu, gpu or all`, { hint: '--role all' });
  // An @ or -gpu at the end tells the queues that are made of it.
  if (!/^[\w.-]{1,200}$/.test(taskQueue) || taskQueue.endsWith('-gpu'))
    throw new UsageError(`--task-queue is ${JSON.stringify(taskQueue)}, which is no name for a queue`, {
      hint: 'letters, digits, points, dashes and underscores, and not -gpu at the end',
    });
  if (!/^[1-9]\d{0,2}$/.test(trainings))
    throw new UsageError(`--trainings is ${trainings}, not a whole number from 1 to 999`, { hint: '--trainings 1' });
  return { role, taskQueue, trainings: Number(trainings) };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        role: { type: 'string', default: 'all' },
        'task-queue': { type: 'string', default: defaultTaskQueue },
        trainings: { type: 'string', default: '1' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message, { hint: '--help lists the options', cause: error });
  }
}

const isRole = (role: string): role is Role => roles.some((known) => known === role);
