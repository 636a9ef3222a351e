import { Type } from '@sinclair/typebox';
import { Ajv } from 'ajv';
import type { EpochEvaluated, TrainStepped } from '@nautil/contracts';
import { parseJson } from '@nautil/contracts/schemas';
import { CorruptFile } from '@nautil/formats';
import type { LossScale } from './loss-scale.js';

/**
 * Everything that a checkpoint holds besides tensors. Together with the weights and the optimizer's state, it determines
 * every byte of the rest of the run.
 */
export interface TrainingState {
  /** Optimizer steps done. Steps are numbered from 0, so this is also the number of the next step. */
  step: number;

  /** The best evaluation so far. */
  best?: BestEvaluation;

  /** Early stopping: evaluations since the monitored value last improved by `min_delta`, and that value. */
  patience?: { waited: number; best: number };

  /** ReduceLROnPlateau. */
  plateau?: PlateauState;

  /** Number of micro-batches that each batch is cut into; more than 1 once a whole batch did not fit into memory. */
  microBatches: number;

  /** Why the run has ended, when that is not its last step. */
  stopped?: 'early-stopped' | 'stopped';

  /** What the steps so far were computed with, see `arithmeticOf`; absent in checkpoints of earlier versions. */
  arithmetic?: string;

  /** Present once a step was computed in float16. Its skipped steps stay, even if later steps are computed in another format. */
  lossScale?: LossScale;

  /** Rows of a batch on each device, and the number of devices; absent in checkpoints of earlier versions, of one device. */
  shares?: { batchSize: number; devices: number };

  /** Events since the previous checkpoint, to be logged once this state is on disk. */
  events: (TrainStepped | EpochEvaluated)[];
}

export interface BestEvaluation {
  monitor: string;
  value: number;
  step: number;

  /** SHA-256 of the file with its weights; absent in checkpoints of earlier versions. */
  sha256?: string;
}

export interface PlateauState {
  factor: number;
  best: number | null;
  bad: number;
  cooldown: number;
}

/** The state as JSON for a checkpoint's metadata. `microBatches` is stored as `split`, its first name. */
export function stringifyState(state: TrainingState): string {
  const { microBatches: split, step, events, best, plateau, patience, stopped, arithmetic, shares, lossScale } = state;
  return JSON.stringify({ step, split, events, best, plateau, patience, stopped, arithmetic, shares, lossScale });
}

const savedState = Type.Object({
  step: Type.Integer({ minimum: 0 }),
  split: Type.Integer({ minimum: 1 }),
  best: Type.Optional(
    Type.Object({
      monitor: Type.String(),
      value: Type.Number(),
      step: Type.Integer(),
      sha256: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
    }),
  ),
  patience: Type.Optional(Type.Object({ waited: Type.Integer(), best: Type.Number() })),
  plateau: Type.Optional(
    Type.Object({
      factor: Type.Number(),
      best: Type.Union([Type.Number(), Type.Null()]),
      bad: Type.Integer(),
      cooldown: Type.Integer(),
    }),
  ),
  stopped: Type.Optional(Type.Union([Type.Literal('early-stopped'), Type.Literal('stopped')])),
  arithmetic: Type.Optional(Type.String()),
  shares: Type.Optional(
    Type.Object({ batchSize: Type.Integer({ minimum: 1 }), devices: Type.Integer({ minimum: 1 }) }),
  ),
  lossScale: Type.Optional(
    Type.Object({
      scale: Type.Number({ exclusiveMinimum: 0 }),
      goodSteps: Type.Integer({ minimum: 0 }),
      skippedSteps: Type.Integer({ minimum: 0 }),
    }),
  ),
  events: Type.Array(
    Type.Object({
      type: Type.Union([Type.Literal('step'), Type.Literal('eval')]),
      step: Type.Integer(),
      timestampMs: Type.Number(),
    }),
  ),
});

type SavedState = Omit<TrainingState, 'microBatches'> & { split: number };

const isSavedState = new Ajv({ validateSchema: false }).compile<SavedState>(savedState);

/** Reads what `stringifyState` wrote. @throws CorruptFile */
export function parseState(json: string | undefined, path: string): TrainingState {
  let saved: unknown;
  try {
    saved = parseJson(json ?? 'null');
  } catch (cause) {
    throw new CorruptFile(path, 'the training state in its metadata is not JSON', { cause });
  }
  if (!isSavedState(saved)) throw new CorruptFile(path, 'its metadata has no valid training state');
  const { split, ...state } = saved;
  return { ...state, microBatches: split };
}
