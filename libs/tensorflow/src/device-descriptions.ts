import protobuf from 'protobufjs';
import type { Native, Pointer } from './native.js';

// tensorflow/core/framework/device_attributes.proto, reduced to the fields that are read here.
const attributesProto = protobuf
  .parse(
    `syntax = "proto3";
     message DeviceAttributes { string name = 1; string physical_device_desc = 7; }`,
    { keepCase: true },
  )
  .root.lookupType('DeviceAttributes');

const parseAttributes = (bytes: Uint8Array): { name: string; physical_device_desc: string } =>
  attributesProto.toObject(attributesProto.decode(bytes), { defaults: true }) as ReturnType<typeof parseAttributes>;

/**
 * TensorFlow's description of each device in a TF_DeviceList, by the device's name: empty for a processor, and for a GPU such as
 * `device: 0, name: Tesla T4, pci bus id: 0000:00:04.0, compute capability: 7.5`. The C API has no function for it, so the records
 * in TensorFlow's memory are serialised: a TF_DeviceList is a `std::vector<DeviceAttributes>`.
 *
 * @returns an empty map for a library whose records cannot be read
 */
export function deviceDescriptions(native: Native, list: Pointer): Map<string, string> {
  const descriptions = new Map<string, string>();
  const count = native.TF_DeviceListCount(list);
  if (native.attributes === undefined || count === 0) return descriptions;
  const vector = new BigUint64Array(2); // the addresses of its begin and of its end
  native.memcpy(vector, list, vector.byteLength);
  const [begin = 0n, end = 0n] = vector;
  const recordBytes = (end - begin) / BigInt(count);
  if (begin === 0n || recordBytes <= 0n || recordBytes * BigInt(count) !== end - begin) return descriptions;
  for (let i = 0; i < count; i += 1) {
    const record = begin + BigInt(i) * recordBytes;
    const bytes = new Uint8Array(Number(native.attributes.byteSize(record)));
    native.attributes.serialize(record, bytes, bytes.length);
    const { name, physical_device_desc: description } = parseAttributes(bytes);
    descriptions.set(name, description);
  }
  return descriptions;
}
