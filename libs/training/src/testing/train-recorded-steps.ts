import type { TensorSource } from '@nautil/formats';
import { classifierWeights, type EncoderConfig, ModelWeights } from '@nautil/model';
import type { Precision } from '@nautil/tensorflow';
import { padRows } from '@nautil/tokenization';
import { rowWeights } from '../cross-entropy.js';
import { TrainStep } from '../train-step.js';

/** An encoder and a head of two layers, from files under Hugging Face's and the recording's names. */
export interface RecordedStart {
  encoder: EncoderConfig;
  tensors: Pick<TensorSource, 'names' | 'info' | 'readFloat32'>;
  head: Pick<TensorSource, 'names' | 'info' | 'readFloat32'>;
}

/** The tokens of all rows, and the number of steps. */
export interface RecordedSteps {
  rows: readonly (readonly number[])[];
  steps: number;
}

/** Step k trains the rows whose index leaves the same rest as k. */
const groups = 3;

/**
 * The losses of steps as the golden encoders' `expected.json` describes them: AdamW (lr 1e-3, weight decay 0.01), no dropout; step k
 * trains rows k % 3, k % 3 + 3, … of all rows padded into one batch, and the label of a row is its index % 3.
 */
export async function trainRecordedSteps(
  { encoder, tensors, head }: RecordedStart,
  o: {
    rows: readonly (readonly number[])[];

    /** Number of tokens of each row's first segment; absent: the rows are single texts. */
    firstLengths?: readonly number[];
    steps: number;
    precision: Precision;
  },
): Promise<number[]> {
  const sizes = { numClasses: head.info('layer2.weight').shape[0]!, numOutputLayers: 2 };
  const weights = new ModelWeights({ specs: classifierWeights({ encoder, ...sizes }) });
  const inFile = new Set(tensors.names());
  try {
    await weights.load(async (name) => {
      const layer = /^classifier\.mlp\.(.*)$/.exec(name)?.[1];
      if (layer !== undefined) return head.readFloat32(layer);
      const plain = name.replace(/^bert_model\./, '');
      return inFile.has(plain) ? tensors.readFloat32(plain) : undefined;
    }, 'the recorded model');
    const step = new TrainStep(weights, {
      shape: { encoder, head: sizes, precision: o.precision },
      optim: { name: 'adamw', weight_decay: 0.01 },
      clip: 0,
      seed: 0,
      headDropout: 0,
      pairs: o.firstLengths !== undefined,
    });
    await step.loadSlots();
    const longest = Math.max(...o.rows.map((row) => row.length));
    const losses: number[] = [];
    for (let index = 0; index < o.steps; index++) {
      const ofStep = <T>(values: readonly T[]): T[] => values.filter((_, row) => row % groups === index % groups);
      const chosen = ofStep(o.rows);
      // Padded to the longest of all rows, as in the recording.
      const padded = padRows(chosen, {
        padId: encoder.padTokenId,
        maxLength: longest,
        lengthMultiple: longest,
        firstLengths: o.firstLengths && ofStep(o.firstLengths),
      });
      const labels = Int32Array.from(chosen, () => index % groups);
      const batch = { ...padded, labels };
      const parts = [{ batch, rowOffset: 0, rowWeights: rowWeights(labels, undefined, 1) }];
      const done = await step.run(parts, { step: index, lr: 1e-3 });
      losses.push(...done.losses);
    }
    return losses;
  } finally {
    weights.close();
  }
}
