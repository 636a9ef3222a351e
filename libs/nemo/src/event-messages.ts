import protobuf from 'protobufjs';

/** The part of TensorFlow's event.proto and summary.proto that scalars need, with TensorFlow's field numbers. */
const schema = `
syntax = "proto3";
message Event { double wall_time = 1; int64 step = 2; oneof what { string file_version = 3; Summary summary = 5; } }
message Summary { repeated SummaryValue value = 1; }
message SummaryValue { string tag = 1; oneof value { float simple_value = 2; } }
`;

const eventType = protobuf.parse(schema, { keepCase: true }).root.lookupType('Event');

export interface EventMessage {
  /** Seconds since the epoch. */
  wall_time: number;
  step?: number;
  file_version?: string;
  summary?: { value: SummaryValue[] };
}

interface SummaryValue {
  tag: string;
  simple_value?: number;
}

export const encodeEvent = (event: EventMessage): Uint8Array => eventType.encode(eventType.fromObject(event)).finish();

/** @throws Error when the bytes are not an Event */
export const decodeEvent = (bytes: Uint8Array): EventMessage =>
  eventType.toObject(eventType.decode(bytes), { longs: Number }) as EventMessage;
