import { defineError, type ErrorKind, NautilError, type NautilErrorOptions } from '@nautil/contracts';
import { isGpuFailure } from './gpu/gpu-failure.js';

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

  constructor(message: string, { code = 'INVALID_ARGUMENT', retryable, ...options }: TensorFlowErrorOptions = {}) {
    super(message, options);
    this.code = code;
    // A lost device may come back; other failures are caused by the program or its data.
    this.retryable = retryable ?? (code === 'UNAVAILABLE' || code === 'ABORTED');
    this.kind = this.retryable ? 'environment' : 'training';
  }
}

/** TensorFlow cannot listen on the port of this process. Workers of Temporal choose another port for the next attempt. */
export class ServerNotStarted extends defineError('ServerNotStarted', 'environment', { retryable: true }) {
  constructor(
    port: number,
    { members, index }: { members: readonly string[]; index: number },
    { isInUse, cause }: { isInUse: boolean; cause: unknown },
  ) {
    const reason = isInUse ? 'the port is in use' : (cause as Error).message;
    super(`TensorFlow's server of member ${index} (${members[index]}) cannot listen on port ${port}: ${reason}`, {
      hint: isInUse
        ? `end the program that listens there (\`ss -ltnp 'sport = :${port}'\` lists it), or choose another port, which nautil.group.members, or MASTER_PORT for torchrun, determines`
        : 'choose a port from 1024 to 65535: lower ones need the rights of root',
      cause,
    });
  }
}

/** A tensor did not fit into the device's memory. Split the batch into smaller micro-batches. */
export class OutOfMemory extends TensorFlowError {
  override readonly name: string = 'OutOfMemory';
}

/** A GPU failed while it computed. A retry may succeed, on another GPU or in a new process. */
export class GpuFailed extends TensorFlowError {
  override readonly name: string = 'GpuFailed';
}

/** TensorFlow's message when a GPU has no memory for a copy of a tensor. Its code is INTERNAL. */
const noMemoryForCopy = 'Dst tensor is not initialized';

/** Errors of the caller, even if their text resembles that of a failure. */
const causedByCaller: readonly TensorFlowCode[] = ['INVALID_ARGUMENT', 'NOT_FOUND', 'OUT_OF_RANGE', 'UNIMPLEMENTED'];

/** The error for a TF_Status: `OutOfMemory`, `GpuFailed`, or `TensorFlowError` for the rest. */
export function tensorFlowError(code: number, message: string): TensorFlowError {
  const name = codeNames[code] ?? 'UNKNOWN';
  if (name !== 'RESOURCE_EXHAUSTED' && !message.includes(noMemoryForCopy)) {
    if (causedByCaller.includes(name) || !isGpuFailure(message)) return new TensorFlowError(message, { code: name });
    return new GpuFailed(message, {
      code: name,
      retryable: true,
      hint: 'the GPU failed: `nvidia-smi` and `sudo dmesg | grep -i xid` show its state; a retry uses another GPU if there is one',
    });
  }
  return new OutOfMemory(message, {
    code: name,
    hint: 'use a smaller model.train_ds.batch_size (with trainer.accumulate_grad_batches for the same effective batch) or max_seq_length',
  });
}
