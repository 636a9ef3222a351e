import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { goldenPath, readGoldenJson } from './golden-set.js';
import { goldenEncoderSets } from './golden-sets.cjs';

/** An encoder with what transformers computes with it. */
export interface GoldenEncoder {
  /** Set and folder, such as `golden-encoders/albert`. */
  name: string;

  /** A folder in Hugging Face's layout. */
  folder: string;
  rows: GoldenRow[];

  /** The first tokens' hidden states with all rows padded into one batch. [rows, H] */
  batchedFirst?: number[][];

  /** Losses of training steps, which start from the encoder and the head in `headFile`. */
  training?: { losses: number[]; headFile: string };
}

interface GoldenRow {
  text?: string;

  /** Truncated to the model's maximum length. */
  input_ids: number[];

  /** The last hidden state of the first token, computed alone. [H] */
  first: number[];
}

interface Expected {
  rows: GoldenRow[];
  batched_first: number[][];
  training: { losses: number[] };
}

/** The encoders of the sets of golden encoders, and those of the golden set of NeMo. Throws when a set has none. */
export function goldenEncoders(): GoldenEncoder[] {
  return [...goldenEncoderSets().flatMap(encodersOfSet), ...encodersOfNemo()];
}

function encodersOfSet(set: string): GoldenEncoder[] {
  const names = readdirSync(set).filter((name) => statSync(join(set, name)).isDirectory());
  if (names.length === 0) throw new Error(`${set} has no encoder`);
  return names.map((name) => {
    const folder = join(set, name);
    const { rows, batched_first, training } = JSON.parse(
      readFileSync(join(folder, 'expected.json'), 'utf8'),
    ) as Expected;
    return {
      name: `${basename(set)}/${name}`,
      folder,
      rows,
      batchedFirst: batched_first,
      training: { losses: training.losses, headFile: join(folder, 'head.safetensors') },
    };
  });
}

interface ParityRow {
  input_ids: number[];
  first_token: number[];
}

const rowOf = ({ input_ids, first_token }: ParityRow): GoldenRow => ({ input_ids, first: first_token });

/** The encoders of the set that GOLDEN names, for which no training is recorded in this form. */
function encodersOfNemo(): GoldenEncoder[] {
  const { models } = readGoldenJson('hf_parity.json') as {
    models: Record<string, { rows: ParityRow[]; padded_batch_first_token: number[][] }>;
  };
  const megatron = 'megatron-bert-tiny';
  const { layer_norm_eps } = readGoldenJson(megatron, 'config.json') as { layer_norm_eps: number };
  const { rows } = readGoldenJson(megatron, 'expected.json') as { rows: (ParityRow & { layer_norm_eps: number })[] };
  return [
    ...Object.entries(models).map(([name, model]) => ({
      name: `golden/${name}`,
      folder: goldenPath(name),
      rows: model.rows.map(rowOf),
      batchedFirst: model.padded_batch_first_token,
    })),
    {
      name: `golden/${megatron}`,
      folder: goldenPath(megatron),
      rows: rows.filter((row) => row.layer_norm_eps === layer_norm_eps).map(rowOf),
    },
  ];
}
