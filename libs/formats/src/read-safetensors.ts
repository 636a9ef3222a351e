import { Type } from '@sinclair/typebox';
import { jsonValidator, parseJson } from '@nautil/contracts/schemas';
import type { ByteSource } from './byte-source.js';
import { CorruptFile, cutOff, UnsupportedFile } from './errors.js';
import { validateJson } from './json.js';
import { mostTensors, namedTensors, tooManyTensors } from './named-tensors.js';
import { bytesPerElement, elementsOf, isTensorDType, type TensorDType } from './tensor-dtype.js';
import type { TensorSource } from './tensor-source.js';

/** The reference implementation has the same limit. */
const longestHeader = 100_000_000;

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

const validateEntry = jsonValidator(
  Type.Object({
    dtype: Type.String(),
    shape: Type.Array(count),
    data_offsets: Type.Array(count, { minItems: 2, maxItems: 2 }),
  }),
);

// Type.Record would skip keys that contain a line break.
const validateMetadata = jsonValidator(
  Type.Unsafe<Record<string, string>>({ type: 'object', additionalProperties: { type: 'string' } }),
);

interface Entry {
  readonly dtype: TensorDType;
  readonly shape: readonly number[];
  /** The byte range, counted from the end of the header. */
  readonly start: number;
  readonly end: number;
}

/** Opens a safetensors file. Every byte after the header must belong to exactly one tensor, as the format demands. */
export async function readSafetensors(source: ByteSource): Promise<TensorSource> {
  const corrupt = (problem: string) => new CorruptFile(source.name, problem);
  const lengthField = await source.read(0, 8);
  const headerLength = Number(new DataView(lengthField.buffer).getBigUint64(0, true));
  if (headerLength > longestHeader) throw corrupt(`the safetensors header says it is ${headerLength} bytes long`);
  if (8 + headerLength > source.size) {
    throw cutOff(source.name, `its safetensors header has ${headerLength} bytes, but the file has only ${source.size}`);
  }
  const header = parseHeader(await source.read(8, headerLength), corrupt);
  const { metadata, entries } = readEntries(header, source.name, corrupt);
  const dataStart = 8 + headerLength;
  checkCoverage(entries, source.size - dataStart, source.name);

  return namedTensors({
    format: 'safetensors',
    name: source.name,
    metadata,
    tensors: entries,
    read: (entry) => source.read(dataStart + entry.start, entry.end - entry.start),
    close: () => source.close(),
  });
}

function parseHeader(bytes: Uint8Array, corrupt: (problem: string) => CorruptFile): object {
  let header: unknown;
  try {
    header = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw corrupt(`the safetensors header is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw corrupt('the safetensors header is not a JSON object');
  }
  return header;
}

function readEntries(header: object, path: string, corrupt: (problem: string) => CorruptFile) {
  let metadata: Readonly<Record<string, string>> = {};
  const entries = new Map<string, Entry>();
  const described = Object.entries(header) as [string, unknown][];
  if (described.length > mostTensors + 1) throw tooManyTensors(path, described.length);
  for (const [name, value] of described) {
    if (name === '__metadata__') {
      metadata = validateJson(validateMetadata, value, path, '__metadata__ in the safetensors header');
      continue;
    }
    const part = `tensor ${name} in the safetensors header`;
    const { dtype, shape, data_offsets: offsets } = validateJson(validateEntry, value, path, part);
    if (!isTensorDType(dtype)) {
      throw new UnsupportedFile(path, `tensor ${name} has the unsupported type ${dtype}`, {
        hint: `supported types: ${Object.keys(bytesPerElement).join(' ')}`,
      });
    }
    const [start = 0, end = 0] = offsets;
    const wanted = elementsOf(shape) * bytesPerElement[dtype];
    if (end - start !== wanted) {
      throw corrupt(
        `tensor ${name}, ${dtype} [${shape.join(', ')}], needs ${wanted} bytes; the header gives it ${end - start}`,
      );
    }
    entries.set(name, { dtype, shape, start, end });
  }
  return { metadata, entries };
}

function checkCoverage(entries: Map<string, Entry>, dataSize: number, path: string): void {
  const corrupt = (problem: string) => new CorruptFile(path, problem);
  let at = 0;
  for (const [name, { start, end }] of [...entries].sort(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
    if (start !== at)
      throw corrupt(`tensor ${name} starts at byte ${start} of the data, but the previous tensor ends at ${at}`);
    at = end;
  }
  if (at > dataSize) throw cutOff(path, `its header describes ${at} bytes of data, but it has only ${dataSize}`);
  if (at !== dataSize) throw corrupt(`the header describes ${at} bytes of data, but the file has ${dataSize}`);
}
