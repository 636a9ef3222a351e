import type { Config } from '@nautil/config';

/**
 * Everything that a training needs, as plain JSON, so that it can be sent to a child process. Paths are absolute. Equal jobs
 * produce equal bytes.
 */
export interface TrainJob {
  config: Config;

  /** The environment variables whose values the configuration contains, and the log shows as references. */
  hidden?: string[];

  /** Folder of this training, for `checkpoints/` and the weights. */
  folder: string;

  /** Paths of token caches, see `buildTokenCache`. */
  trainCache: string;
  validationCache?: string;

  encoder: EncoderSource;
  numClasses: number;

  /** Names by label id, if there is a labels file. */
  labelNames?: string[];

  /** Loss weight by label id; absent: all 1. [numClasses] */
  classWeights?: number[];

  /** Folder for the files of NeMo's exp_manager; absent: none are written. */
  logDir?: string;

  /** A checkpoint of an earlier run of the same data and model, to start from while this run has none of its own. */
  resumeFrom?: string;

  /** The processes that train this run together; absent: this process trains alone. */
  group?: TrainingGroup;

  /** Digests of everything that the numbers depend on. A checkpoint with other digests is rejected. */
  digests: Record<string, string>;
}

/** The processes that train a run together, each with its own devices. */
export interface TrainingGroup {
  /** `host:port` of each member's TensorFlow server. Member 0, the chief, writes checkpoints and emits events. */
  members: string[];

  /** This process's index in `members`. */
  index: number;

  /** Digest of the program, which must be equal on all members; absent: not compared. */
  program?: string;

  /** Seconds to wait for the servers of all members. Default 300. */
  joinTimeoutS?: number;

  /** Seconds without an answer after which a member is lost. Default 60. */
  stepTimeoutS?: number;
}

/** The source of the encoder's architecture and initial weights. */
export interface EncoderSource {
  /** Hugging Face folder or checkpoint file; absent: random initialisation from `config`. */
  path?: string | undefined;

  /** Hugging Face `config.json` content; absent: read from the folder of the weights. */
  config?: Record<string, unknown> | undefined;

  /** NeMo's `lm_checkpoint`: weights that replace those of `path`. */
  lmCheckpoint?: string | undefined;
}
