import protobuf from 'protobufjs';

/** onnx/onnx.proto, reduced to the fields that are set here. */
const { root } = protobuf.parse(
  `syntax = "proto2";
   package onnx;
   message StringStringEntryProto { optional string key = 1; optional string value = 2; }
   message AttributeProto {
     optional string name = 1;
     optional float f = 2;
     optional int64 i = 3;
     optional bytes s = 4;
     repeated float floats = 7;
     repeated int64 ints = 8;
     optional int32 type = 20;
   }
   message TensorProto {
     repeated int64 dims = 1;
     optional int32 data_type = 2;
     optional string name = 8;
     optional bytes raw_data = 9;
     repeated StringStringEntryProto external_data = 13;
     optional int32 data_location = 14;
   }
   message TensorShapeProto {
     message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
     repeated Dimension dim = 1;
   }
   message TypeProto {
     message Tensor { optional int32 elem_type = 1; optional TensorShapeProto shape = 2; }
     oneof value { Tensor tensor_type = 1; }
   }
   message ValueInfoProto { optional string name = 1; optional TypeProto type = 2; }
   message NodeProto {
     repeated string input = 1;
     repeated string output = 2;
     optional string name = 3;
     optional string op_type = 4;
     repeated AttributeProto attribute = 5;
     optional string domain = 7;
   }
   message GraphProto {
     repeated NodeProto node = 1;
     optional string name = 2;
     repeated TensorProto initializer = 5;
     repeated ValueInfoProto input = 11;
     repeated ValueInfoProto output = 12;
   }
   message OperatorSetIdProto { optional string domain = 1; optional int64 version = 2; }
   message ModelProto {
     optional int64 ir_version = 1;
     repeated OperatorSetIdProto opset_import = 8;
     optional string producer_name = 2;
     optional GraphProto graph = 7;
   }`,
  { keepCase: true },
);

export const modelProto = root.lookupType('onnx.ModelProto');
export const graphProto = root.lookupType('onnx.GraphProto');
export const tensorProto = root.lookupType('onnx.TensorProto');

/** Numbers of the fields that contain the values of weights: of ModelProto, GraphProto and TensorProto. */
export const fields = { graph: 7, initializer: 5, rawData: 9 } as const;

/** Values of TensorProto.DataType. */
export const dataTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;

/** Values of AttributeProto.AttributeType. */
export const attributeTypes = { float: 1, int: 2, ints: 7 } as const;
