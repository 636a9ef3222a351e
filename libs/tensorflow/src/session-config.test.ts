import { expect, test } from '@jest/globals';
import protobuf from 'protobufjs';
import { encodeSessionConfig } from './session-config.js';

test('a session takes the memory of a GPU as it needs it, not all of it at once', () => {
  // The field numbers of tensorflow/core/protobuf/config.proto.
  const { root } = protobuf.parse(
    `syntax = "proto3";
     message GPUOptions { bool allow_growth = 4; }
     message ConfigProto { GPUOptions gpu_options = 6; }`,
    { keepCase: true },
  );
  const config = root.lookupType('ConfigProto').decode(encodeSessionConfig({})).toJSON();
  expect(config).toEqual({ gpu_options: { allow_growth: true } });
});
