import { defineError } from '@nautil/contracts';

/** The trainer process ended without an answer: a native crash, or the system's out-of-memory killer. */
export class TrainerCrashed extends defineError('TrainerCrashed', 'training', { retryable: true }) {}
