import { defaultPayloadConverter, type PayloadConverter } from '@temporalio/common';

/** Stands for a payload that cannot be decoded, so that the parser of the message or the input rejects it. */
export class UndecodablePayload {
  readonly problem: string;

  constructor(problem: string) {
    this.problem = problem;
  }
}

/**
 * Decodes what workflows receive. A payload that is not valid, or whose encoding is unknown, becomes an UndecodablePayload:
 * an error here would fail every workflow task of the run, so that one such signal would block it forever.
 */
export const payloadConverter: PayloadConverter = {
  toPayload: (value, context, hint) => defaultPayloadConverter.toPayload(value, context, hint),
  fromPayload: (payload, context, hint) => {
    try {
      return defaultPayloadConverter.fromPayload(payload, context, hint);
    } catch (error) {
      return new UndecodablePayload(error instanceof Error ? error.message.slice(0, 200) : 'unknown error') as never;
    }
  },
};
