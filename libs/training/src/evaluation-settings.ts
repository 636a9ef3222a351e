import { type Static, Type } from '@sinclair/typebox';
import type { BatchAmount, Config } from '@nautil/config';

const flag = Type.Boolean();
const count = Type.Integer({ minimum: 0 });

/**
 * The keys of the configuration, besides those of the model and the tokenizer, on which the numbers of an evaluation depend,
 * and the class weights that the training file determines.
 */
export const evaluationSettings = Type.Object({
  keys: Type.Object({
    'model.test_ds.batch_size': Type.Integer({ minimum: 1 }),
    'model.test_ds.shuffle': flag,
    'model.test_ds.drop_last': flag,
    'model.test_ds.num_samples': Type.Integer(),
    'trainer.limit_test_batches': Type.Unsafe<BatchAmount>(
      Type.Union([Type.Number({ minimum: 0 }), Type.Literal('1'), Type.Null()]),
    ),
    'trainer.precision': Type.Unsafe<Config['trainer']['precision']>(Type.Union([Type.Number(), Type.String()])),
    'nautil.seed': count,
    'nautil.batches.bucket_by_length': flag,
    'nautil.batches.length_multiple': Type.Integer({ minimum: 1 }),
    'nautil.batches.nemo_padding': flag,
    'nautil.intra_op_threads': count,
    'nautil.onednn': flag,
    'nautil.tf32': Type.Optional(flag),
  }),

  /** Loss weight by label id; absent: all 1. */
  classWeights: Type.Optional(Type.Array(Type.Number())),
});

/** The keys of the configuration that an evaluation follows. */
export const evaluationKeys: readonly string[] = Object.keys(evaluationSettings.properties.keys.properties);

export type EvaluationSettings = Static<typeof evaluationSettings>;

/** The settings with which a run evaluates a split, as those of a test set. */
export function evaluationSettingsOf(
  { model, trainer, nautil }: Config,
  split: 'test' | 'val',
  classWeights: number[] | undefined,
): EvaluationSettings {
  const dataset = split === 'test' ? model.test_ds : model.validation_ds;
  const limit = split === 'test' ? trainer.limit_test_batches : trainer.limit_val_batches;
  const { bucket_by_length, length_multiple, nemo_padding } = nautil.batches;
  return {
    keys: {
      'model.test_ds.batch_size': dataset.batch_size,
      'model.test_ds.shuffle': dataset.shuffle,
      'model.test_ds.drop_last': dataset.drop_last,
      'model.test_ds.num_samples': dataset.num_samples,
      // A limit of 0 switches the split off in a run. Whoever evaluates later does want an evaluation.
      'trainer.limit_test_batches': limit === 0 ? null : limit,
      'trainer.precision': trainer.precision,
      'nautil.seed': nautil.seed,
      'nautil.batches.bucket_by_length': bucket_by_length,
      'nautil.batches.length_multiple': length_multiple,
      'nautil.batches.nemo_padding': nemo_padding,
      'nautil.intra_op_threads': nautil.intra_op_threads,
      'nautil.onednn': nautil.onednn,
      'nautil.tf32': nautil.tf32,
    },
    ...(classWeights ? { classWeights } : {}),
  };
}
