import { defineError, type NautilErrorOptions } from '@nautil/contracts';

/** MLflow understood a request and refused it. Sending the same request again would not help. */
export class MlflowError extends defineError('MlflowError', 'environment') {
  /** HTTP status. */
  readonly status: number;

  /** MLflow's own code, such as RESOURCE_DOES_NOT_EXIST; empty when the response was not MLflow's JSON. */
  readonly errorCode: string;

  /** Method and path, such as `POST runs/log-batch`. */
  readonly endpoint: string;

  constructor(message: string, o: NautilErrorOptions & { status: number; errorCode?: string; endpoint: string }) {
    super(message, o);
    this.status = o.status;
    this.errorCode = o.errorCode ?? '';
    this.endpoint = o.endpoint;
  }
}

/** MLflow could not be reached, took too long, or was overloaded: the same request may succeed later. */
export class MlflowUnavailable extends defineError('MlflowUnavailable', 'environment', { retryable: true }) {}

/** An address that this client cannot use. */
export class MlflowAddressInvalid extends defineError('MlflowAddressInvalid', 'config') {}
