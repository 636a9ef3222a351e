import { CorruptFile } from '../errors.js';
import { PickleRecord, PickleTuple, type PickleValue } from './pickle-machine.js';
import { bytesPerElement, elementsOf } from '../tensor-dtype.js';
import { TorchTensor } from './torch-tensor.js';

const mostValues = 1_000_000;
const deepest = 100;
const longestName = 4096;

/**
 * The tensors in a value by their paths: keys of dicts and positions in lists and tuples, joined by dots; a state dict at
 * the root keeps its names. A value that contains itself, or is a graph with too many paths, is refused.
 */
export function tensorsByPath(path: string, root: PickleValue, fileSize: number): Map<string, TorchTensor> {
  const found = new Map<string, TorchTensor>();
  let visited = 0;
  let totalBytes = 0;
  const visit = (value: PickleValue, name: string, depth: number): void => {
    visited += 1;
    if (visited > mostValues || depth > deepest || name.length > longestName) {
      throw new CorruptFile(path, `the pickle's value nests without end (at ${name.slice(0, 200)})`);
    }
    if (value instanceof TorchTensor) {
      const other = found.get(name);
      if (other && other !== value) throw new CorruptFile(path, `two tensors in the pickle are called ${name}`);
      found.set(name, value);
      totalBytes += elementsOf(value.shape) * bytesPerElement[value.dtype];
      return;
    }
    const inside = (key: PickleValue, item: PickleValue) =>
      visit(item, name === '' ? String(key) : `${name}.${String(key)}`, depth + 1);
    if (value instanceof Map) value.forEach((item, key) => inside(typeof key === 'object' ? null : key, item));
    else if (Array.isArray(value)) value.forEach((item, index) => inside(index, item));
    else if (value instanceof PickleTuple) value.items.forEach((item, index) => inside(index, item));
    else if (value instanceof PickleRecord && value.state instanceof Map) inside('state', value.state);
  };
  visit(root, '', 0);
  // Tied weights are views of the same bytes; a thousand views of a gigabyte are an attack on whoever reads them all.
  if (totalBytes > 8 * fileSize + (64 << 20)) {
    throw new CorruptFile(path, `the tensors would take ${totalBytes} bytes, the file has ${fileSize}`);
  }
  return found;
}
