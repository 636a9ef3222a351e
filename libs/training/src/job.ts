import type { Config } from '@nautil/config';

/**
 * Everything that a training run needs, as plain JSON: it is handed to a child process. Files are named by absolute
 * path; two equal jobs give equal bytes.
 */
export interface TrainJob {
  config: Config;

  /** Folder of this run: `checkpoints/` and the weights go here. */
  folder: string;

  /** Token caches, made by `buildTokenCache`. */
  trainCache: string;
  validationCache?: string;

  encoder: EncoderSource;
  numClasses: number;

  /** Names by label id, when there is a labels file. */
  labelNames?: string[];

  /** Loss weight by label id; absent: all 1. [numClasses] */
  classWeights?: number[];

  /** Where NeMo's exp_manager would leave its files; absent: nowhere. */
  logDir?: string;

  /** A checkpoint of an earlier run of the same data and model, to start from when this run has none of its own. */
  resumeFrom?: string;

  /** Digests of what the numbers depend on; a checkpoint with others is refused. */
  digests: Record<string, string>;
}

/** Where the encoder's architecture and first weights come from. */
export interface EncoderSource {
  /** Hugging Face folder or checkpoint file; absent: random initialisation from `config`. */
  path?: string | undefined;

  /** Hugging Face `config.json` content; absent: read beside the weights. */
  config?: Record<string, unknown> | undefined;

  /** NeMo's `lm_checkpoint`: weights loaded over those of `path`. */
  lmCheckpoint?: string | undefined;
}
