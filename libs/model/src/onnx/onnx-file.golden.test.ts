import { expect, test } from '@jest/globals';
import { openEncoder } from '@nautil/formats/encoder';
import { OnnxSession } from '@nautil/onnx';
import { goldenEncoders } from '@nautil/testing';
import { padRows } from '@nautil/tokenization';
import {
  encoderLayout,
  encoderWeights,
  initialWeight,
  onnxFile,
  OnnxForward,
  parseEncoderConfig,
  readWeights,
} from '../index.js';
import { headWeights } from '../weights.js';

const tolerance = 1e-5;
const head = { numClasses: 3, numOutputLayers: 2 };

test.each(goldenEncoders().map((golden) => [golden.name, golden] as const))(
  'the file of %s has ONNX’s operators alone, and gives the logits of predict, with segments where the encoder has them',
  async (_, { folder, rows }) => {
    const opened = await openEncoder({ path: folder, layout: encoderLayout });
    const encoder = parseEncoderConfig(opened.config, folder);
    const heads = headWeights({ ...head, hiddenSize: encoder.hiddenSize });
    const ofHead = new Map(heads.map((spec) => [spec.name, initialWeight({ ...spec, init: 'normal', std: 0.3 }, 5)]));
    const specs = [...encoderWeights(encoder).filter(({ used }) => used), ...heads];
    const read = async (name: string) => ofHead.get(name) ?? opened.tensors.readFloat32(name);
    const weights = await readWeights(specs, read, folder);
    await opened.close();

    const proto = Buffer.concat(onnxFile({ encoder, head, weightOf: (name) => weights.get(name)! }));
    expect(proto.includes('com.microsoft')).toBe(false);
    const session = await OnnxSession.create({ proto, weights: [] });
    const predict = await OnnxForward.open({ encoder, head, weights, pairs: true });
    const ids = rows.map(({ input_ids }) => input_ids);
    const batch = padRows(ids, { padId: encoder.padTokenId, maxLength: encoder.maxLength });
    const shape = [batch.size, batch.length];
    const int64 = (values: Int32Array) => ({ shape, data: BigInt64Array.from(values, BigInt) });
    const second = batch.mask.map((real, at) => (real === 1 && at % batch.length > 1 ? 1 : 0));
    for (const types of [new Int32Array(second.length), second]) {
      const feeds = { input_ids: int64(batch.ids), attention_mask: int64(batch.mask), token_type_ids: int64(types) };
      const actual = await session.run(feeds, [batch.size, head.numClasses]);
      const expected = await predict.run({ ...batch, types });
      for (const [at, logit] of expected.entries()) expect(Math.abs(actual[at]! - logit)).toBeLessThan(tolerance);
    }
    session.close();
    predict.close();
  },
);
