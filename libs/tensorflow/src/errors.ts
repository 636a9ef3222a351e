import { defineError, type ErrorKind, NautilError, type NautilErrorOptions } from '@nautil/contracts';

/** libtensorflow is not installed or cannot be loaded. */
export class TensorFlowMissing extends defineError('TensorFlowMissing', 'environment') {}

/** TF_Code by number, as in tensorflow/c/tf_status.h. */
const codeNames = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

export type TensorFlowCode = (typeof codeNames)[number];

export interface TensorFlowErrorOptions extends NautilErrorOptions {
  /** TensorFlow's status code; `INVALID_ARGUMENT` for errors that @nautil/tensorflow detects itself. */
  code?: TensorFlowCode;
}

/** A graph could not be built or run. The message names the op, its node and the shapes of its inputs. */
export class TensorFlowError extends NautilError {
  override readonly name: string = 'TensorFlowError';
  readonly kind: ErrorKind;
  override readonly retryable: boolean;
  readonly code: TensorFlowCode;

  constructor(message: string, { code = 'INVALID_ARGUMENT', ...options }: TensorFlowErrorOptions = {}) {
    super(message, options);
    this.code = code;
    // A lost device may come back; other failures are caused by the program or its data.
    this.retryable = code === 'UNAVAILABLE' || code === 'ABORTED';
    this.kind = this.retryable ? 'environment' : 'training';
  }
}

/** A tensor did not fit into the device's memory. Split the batch into smaller micro-batches. */
export class OutOfMemory extends TensorFlowError {
  override readonly name: string = 'OutOfMemory';
}

/** The error for a TF_Status: `OutOfMemory` for RESOURCE_EXHAUSTED, `TensorFlowError` for the rest. */
export function tensorFlowError(code: number, message: string): TensorFlowError {
  const name = codeNames[code] ?? 'UNKNOWN';
  if (name !== 'RESOURCE_EXHAUSTED') return new TensorFlowError(message, { code: name });
  return new OutOfMemory(message, {
    code: name,
    hint: 'use a smaller model.train_ds.batch_size (with trainer.accumulate_grad_batches for the same effective batch) or max_seq_length',
  });
}
