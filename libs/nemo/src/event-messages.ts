import protobuf from 'protobufjs';

/**
 * The part of TensorFlow's event.proto, summary.proto and tensor.proto, and of TensorBoard's hparams plugin, that scalars,
 * texts and hyperparameters need; the numbers are theirs.
 */
const schema = `
syntax = "proto3";
message Event { double wall_time = 1; int64 step = 2; oneof what { string file_version = 3; Summary summary = 5; } }
message Summary { repeated SummaryValue value = 1; }
message SummaryValue {
  string tag = 1;
  oneof value { float simple_value = 2; Tensor tensor = 8; }
  SummaryMetadata metadata = 9;
}
message SummaryMetadata { PluginData plugin_data = 1; }
message PluginData { string plugin_name = 1; bytes content = 2; }
message Tensor { int32 dtype = 1; TensorShape tensor_shape = 2; repeated bytes string_val = 8; }
message TensorShape { repeated Dimension dim = 2; }
message Dimension { int64 size = 1; }
message HParamsPluginData {
  int32 version = 1;
  oneof data { Experiment experiment = 2; SessionStartInfo session_start_info = 3; SessionEndInfo session_end_info = 4; }
}
message Experiment { repeated HParamInfo hparam_infos = 4; repeated MetricInfo metric_infos = 5; }
message HParamInfo { string name = 1; int32 type = 4; }
message MetricInfo { MetricName name = 1; }
message MetricName { string tag = 2; }
message SessionStartInfo { map<string, Value> hparams = 1; double start_time_secs = 5; }
message SessionEndInfo { int32 status = 1; double end_time_secs = 2; }
message Value { oneof kind { int32 null_value = 1; double number_value = 2; string string_value = 3; bool bool_value = 4; } }
`;

const { root } = protobuf.parse(schema, { keepCase: true });

/** DT_STRING of TensorFlow's types. */
export const stringType = 7;

export interface EventMessage {
  /** Seconds since the epoch. */
  wall_time: number;
  step?: number;
  file_version?: string;
  summary?: { value: SummaryValue[] };
}

export interface SummaryValue {
  tag: string;
  simple_value?: number;
  tensor?: { dtype: number; tensor_shape?: { dim: { size: number }[] }; string_val: Uint8Array[] };
  metadata?: { plugin_data: { plugin_name: string; content?: Uint8Array } };
}

export interface HParamsMessage {
  version: number;
  experiment?: { hparam_infos: { name: string; type: number }[]; metric_infos: { name: { tag: string } }[] };
  session_start_info?: { hparams: Record<string, HParamValue>; start_time_secs: number };
  session_end_info?: { status: number; end_time_secs: number };
}

export type HParamValue = { number_value: number } | { string_value: string } | { bool_value: boolean };

const encoder = (name: string): ((message: object) => Uint8Array) => {
  const type = root.lookupType(name);
  return (message) => type.encode(type.fromObject(message)).finish();
};

export const encodeEvent: (event: EventMessage) => Uint8Array = encoder('Event');
export const encodeHParams: (data: HParamsMessage) => Uint8Array = encoder('HParamsPluginData');

const eventType = root.lookupType('Event');

/** Throws when the bytes are no Event. */
export function decodeEvent(bytes: Uint8Array): EventMessage {
  return eventType.toObject(eventType.decode(bytes), { longs: Number }) as EventMessage;
}
