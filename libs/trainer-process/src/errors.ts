import { defineError } from '@nautil/contracts';

/** The trainer process ended without a result, for example after a native crash or an out-of-memory kill. */
export class TrainerCrashed extends defineError('TrainerCrashed', 'training', { retryable: true }) {}

/**
 * A message between a worker and its trainer process does not match its schema: the two run different versions of the program.
 * A retry may reach another worker.
 */
export class TrainerMessageInvalid extends defineError('TrainerMessageInvalid', 'environment', { retryable: true }) {}
