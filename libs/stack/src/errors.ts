import { defineError } from '@nautil/contracts';

/** A port that a server needs is used by another program. */
export class PortInUse extends defineError('PortInUse', 'environment') {}

/** A server or the worker ended, or did not become ready in time; the message ends with its last log lines. */
export class ServerFailed extends defineError('ServerFailed', 'environment', { retryable: true }) {}

/** A server whose address the user gave does not respond. */
export class ServerUnreachable extends defineError('ServerUnreachable', 'environment', { retryable: true }) {}

/** A program that the set-up installs is missing. */
export class NotSetUp extends defineError('NotSetUp', 'environment') {}

/** Temporal's environment variables, or its configuration file, cannot be used. */
export class TemporalSettingError extends defineError('TemporalSettingError', 'usage') {}
