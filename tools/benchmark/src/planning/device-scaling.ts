import { columnOf, type LoadTable } from '../load-table.js';
import { bertStep, miniLmSizes, parametersOf } from './bert-step.js';
import type { GrpcRate } from './clusters.js';
import { predictStep, ringSeconds, updateBytesPerParameter } from './step-time.js';

/** The measured training: all devices together take this batch in each step. */
export const measuredBatch = { rows: 24, length: 64 };
export const measuredSizes = miniLmSizes;
export const gradientBytes = 4 * parametersOf(measuredSizes);

/**
 * A measured step on several devices of one machine, and what the model predicts. Times are milliseconds of one processor, of all
 * threads: devices of a machine share its processors, and other programs hardly change this time.
 */
interface ExplainedStep {
  /** In each process. */
  devices: number;
  processes: number;
  step: number;

  /** Absent for the step that the model is calibrated with. */
  predictedStep?: number;

  /** Of all gradients, without a training. */
  allReduce: number;

  /** Absent for the measurement that the rate of the links is from. */
  predictedAllReduce?: number;
}

export interface DeviceScaling {
  /** Operations per second of a processor in matmuls of the training's shapes. */
  matmulFlops: number;

  /** The share of that rate that the step of one device reaches, beside the optimizer's update. */
  matmulShare: number;

  /** Bytes per second of a processor in the optimizer's update. */
  updateRate: number;
  steps: ExplainedStep[];

  /** When it was measured, and the load of the machine. */
  conditions: Pick<LoadTable, 'recordedAt' | 'loadBefore'>;
  grpc: GrpcRate | undefined;
}

interface MeasuredStep {
  devices: number;
  processes: number;
  step: number;
  allReduce: number;
  smallAllReduce: number;

  /** By the clock. */
  wall: number;
  smallWall: number;
}

const perMillisecond = 1000;

/**
 * Explains the measured steps by the model. In processor time, each of n devices has an nth of the rates of a processor, and reductions
 * do not overlap with the backward pass. The step of one device gives the share of the matmuls' rate that is reached;
 * the all-reduce of two members gives the rate of their link.
 */
export function explainDevices(rates: LoadTable, devices: LoadTable): DeviceScaling | undefined {
  const [gigaflops = NaN] = columnOf(rates, 'rates.matmul');
  const [updateMs = NaN] = columnOf(rates, 'rates.update');
  const measured = measuredSteps(devices);
  const one = measured.find((step) => step.devices * step.processes === 1);
  if (one === undefined) return undefined;
  const matmulFlops = gigaflops * 1e9;
  const updateRate = ((gradientBytes / 4) * updateBytesPerParameter * perMillisecond) / updateMs;
  const reachedFlops = (bertStep(measuredSizes, measuredBatch).flops * perMillisecond) / (one.step - updateMs);
  const steps = measured.map((measurement): ExplainedStep => {
    const { devices: count, processes, step, allReduce } = measurement;
    const members = count * processes;
    const explained = { devices: count, processes, step, allReduce };
    if (members === 1) return explained;
    const pair = measured.find((other) => isPair(other) && other.processes > 1 === processes > 1);
    if (pair === undefined) return explained;
    const link = linkOf(pair.allReduce, pair.smallAllReduce);
    const shared = {
      devicesPerNode: Infinity,
      within: { ...link, bytesPerSecond: (link.bytesPerSecond * 2) / members },
      between: link,
    };
    const work = bertStep(measuredSizes, { ...measuredBatch, rows: measuredBatch.rows / members });
    const { total } = predictStep(
      work,
      {
        ...shared,
        flopsPerSecond: reachedFlops / members,
        memoryBytesPerSecond: updateRate / members,
        bucketBytes: Infinity,
        overlaps: false,
        overheadSeconds: 0,
      },
      members,
    );
    return {
      ...explained,
      predictedStep: total * perMillisecond,
      ...(measurement === pair
        ? {}
        : { predictedAllReduce: ringSeconds(gradientBytes, shared, members) * perMillisecond }),
    };
  });
  const overGrpc = measured.find((step) => isPair(step) && step.processes > 1);
  return {
    matmulFlops,
    matmulShare: reachedFlops / matmulFlops,
    updateRate,
    steps,
    conditions: { recordedAt: devices.recordedAt, loadBefore: devices.loadBefore },
    grpc: overGrpc && linkOf(overGrpc.wall, overGrpc.smallWall),
  };
}

function measuredSteps(table: LoadTable): MeasuredStep[] {
  const figures = ['devices', 'processes', 'step', 'allReduce', 'smallAllReduce', 'wall', 'smallWall'] as const;
  const columns = figures.map((figure) => columnOf(table, `devices.${figure}`));
  return table.rows.map((_, row) => {
    const value = (figure: (typeof figures)[number]): number => columns[figures.indexOf(figure)]?.[row] ?? NaN;
    return {
      devices: value('devices'),
      processes: value('processes'),
      step: value('step'),
      allReduce: value('allReduce'),
      smallAllReduce: value('smallAllReduce'),
      wall: value('wall'),
      smallWall: value('smallWall'),
    };
  });
}

const isPair = ({ devices, processes }: MeasuredStep): boolean => devices * processes === 2;

/** The link of two members, by the times of two reductions: each member sends two messages of half of the bytes. */
function linkOf(all: number, ofOneNumber: number): GrpcRate {
  const latencyMs = ofOneNumber / 2;
  const seconds = (all - ofOneNumber) / perMillisecond;
  return { bytesPerSecond: gradientBytes / seconds, latencySeconds: latencyMs / perMillisecond };
}
