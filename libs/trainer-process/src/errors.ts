import { defineError } from '@nautil/contracts';

/** The trainer process ended without a result, for example after a native crash or an out-of-memory kill. */
export class TrainerCrashed extends defineError('TrainerCrashed', 'training', { retryable: true }) {}
