import { NautilError } from '@nautil/contracts';

/** A port that a server should listen on is taken by something that is not that server. */
export class PortInUse extends NautilError {
  override readonly name = 'PortInUse';
  readonly kind = 'environment';
}

/** A server or the worker ended or did not become ready; the message ends with its last log lines. */
export class ServerFailed extends NautilError {
  override readonly name = 'ServerFailed';
  readonly kind = 'environment';
  override readonly retryable = true;
}

/** A server that the user named by address does not answer. */
export class ServerUnreachable extends NautilError {
  override readonly name = 'ServerUnreachable';
  readonly kind = 'environment';
  override readonly retryable = true;
}

/** A program that set-up installs is not there. */
export class NotSetUp extends NautilError {
  override readonly name = 'NotSetUp';
  readonly kind = 'environment';
}
