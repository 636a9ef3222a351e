import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openEncoder } from '@nautil/formats/encoder';
import { Graph, hostTensor, type Output, type Precision, Session, trace } from '@nautil/tensorflow';
import { goldenEncoders } from '@nautil/testing';
import { padRows } from '@nautil/tokenization';
import { encode } from './encode.js';
import { type EncoderConfig, encoderLayout, encoderWeights, parseEncoderConfig } from './index.js';

describe.each(goldenEncoders().map((golden) => [golden.name, golden] as const))('%s', (name, { folder, rows }) => {
  const graph = new Graph();
  const session = new Session(graph);
  let encoder: EncoderConfig;
  const reads: Record<string, Output> = {};
  beforeAll(async () => {
    const source = await openEncoder({ path: folder, layout: encoderLayout });
    encoder = parseEncoderConfig(source.config, name);
    for (const { name: weight, shape, used } of encoderWeights(encoder)) {
      if (used) reads[weight] = graph.constant('float32', [...shape], await source.tensors.readFloat32(weight));
    }
    await source.close();
  });
  afterAll(() => {
    session.close();
    graph.close();
  });

  /** First tokens of all rows, [B, H], with the shapes of the last layer's hidden states and probabilities. */
  async function compute(firstTokenOnly: boolean, precision: Precision) {
    const batch = padRows(
      rows.map((row) => row.input_ids),
      { padId: encoder.padTokenId, maxLength: encoder.maxLength },
    );
    const shape = [batch.size, batch.length];
    const [ids, mask] = [graph.placeholder('int32', shape), graph.placeholder('int32', shape)];
    const hiddenShapes: (readonly number[])[] = [];
    const attentionShapes: (readonly number[])[] = [];
    const result = trace(graph, ({ tensor, output }) => {
      const weights = Object.fromEntries(Object.entries(reads).map(([weight, read]) => [weight, tensor(read)]));
      const x = encode(
        encoder,
        weights,
        { ids: tensor(ids), mask: tensor(mask) },
        {
          firstTokenOnly,
          precision,
          onHidden: (layer, hidden) => (hiddenShapes[layer] = hidden.shape),
          onAttention: (layer, probabilities) => (attentionShapes[layer] = probabilities.shape),
        },
      );
      return output(firstTokenOnly ? x : x.slice([0, 0, 0], [-1, 1, -1]).reshape([batch.size, encoder.hiddenSize]));
    });
    const [values] = await session.run({
      feeds: [
        [ids, hostTensor('int32', shape, batch.ids)],
        [mask, hostTensor('int32', shape, batch.mask)],
      ],
      fetches: [result],
    });
    return { batch, hiddenShapes, attentionShapes, values: values!.data as Float32Array };
  }

  test.each([
    ['float32', 1e-5],
    ['bfloat16', 0.1],
  ] as const)(
    'in %s, the last layer is computed for one token alone, with the same numbers',
    async (precision, most) => {
      const [all, first] = [await compute(false, precision), await compute(true, precision)];
      const { size, length } = first.batch;
      const heads = all.attentionShapes.at(-1)![1]!;
      expect(all.hiddenShapes.at(-1)).toEqual([size, length, encoder.hiddenSize]);
      expect(all.attentionShapes.at(-1)).toEqual([size, heads, length, length]);
      expect(first.hiddenShapes.at(-1)).toEqual([size, 1, encoder.hiddenSize]);
      expect(first.attentionShapes.at(-1)).toEqual([size, heads, 1, length]);
      expect(first.hiddenShapes.slice(0, -1)).toEqual(all.hiddenShapes.slice(0, -1));
      const differences = all.values.map((value, index) => Math.abs(value - first.values[index]!));
      expect(all.values.some((value) => Math.abs(value) > 0.1)).toBe(true);
      expect(differences.every((difference) => difference < most)).toBe(true);
    },
  );
});
