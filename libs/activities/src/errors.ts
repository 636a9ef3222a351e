import { NautilError } from '@nautil/contracts';

/** The encoder that the configuration names is not on this machine, and could not be fetched. */
export class ModelNotFound extends NautilError {
  override readonly name = 'ModelNotFound';
  readonly kind = 'config';
}

/** The data that the configuration names is nowhere. */
export class SourceNotFound extends NautilError {
  override readonly name = 'SourceNotFound';
  readonly kind = 'config';
}

/** The trainer process ended without an answer: a native crash, or the system's out-of-memory killer. */
export class TrainerCrashed extends NautilError {
  override readonly name = 'TrainerCrashed';
  readonly kind = 'training';
  override readonly retryable = true;
}

/** The worker is shutting down; what was done is in a checkpoint, and another worker goes on. */
export class WorkerShutdown extends NautilError {
  override readonly name = 'WorkerShutdown';
  readonly kind = 'environment';
  override readonly retryable = true;
}
