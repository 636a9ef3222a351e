import { defineError } from '@nautil/contracts';

/** A port that a server should listen on is taken by something that is not that server. */
export class PortInUse extends defineError('PortInUse', 'environment') {}

/** A server or the worker ended or did not become ready; the message ends with its last log lines. */
export class ServerFailed extends defineError('ServerFailed', 'environment', { retryable: true }) {}

/** A server that the user named by address does not answer. */
export class ServerUnreachable extends defineError('ServerUnreachable', 'environment', { retryable: true }) {}

/** A program that set-up installs is not there. */
export class NotSetUp extends defineError('NotSetUp', 'environment') {}
