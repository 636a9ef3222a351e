import { CorruptFile } from '../errors.js';
import { bytesPerElement, elementsOf } from '../tensor-dtype.js';
import { PickleRecord, PickleTuple, type PickleValue } from './pickle-machine.js';
import { TorchTensor } from './torch-tensor.js';

const mostValues = 1_000_000;
const deepest = 100;
const longestName = 4096;

// All names together. A pickle stores a long key once, and the names of any number of tensors can contain it.
const longestNames = 32 << 20;

/**
 * Finds the tensors in a value. A tensor's name is its path: dict keys and positions in lists and tuples, joined by dots, so
 * the tensors of a state dict at the root keep their names. Rejects a value that contains itself or has too many paths.
 */
export function tensorsByPath(path: string, root: PickleValue, fileSize: number): Map<string, TorchTensor> {
  const found = new Map<string, TorchTensor>();
  let visited = 0;
  let totalBytes = 0;
  let nameLengths = 0;
  const visit = (value: PickleValue, name: string, depth: number): void => {
    visited += 1;
    if (visited > mostValues || depth > deepest || name.length > longestName) {
      throw new CorruptFile(
        path,
        `the pickle's value is nested too deeply or has too many paths (at ${name.slice(0, 200)})`,
      );
    }
    if (value instanceof TorchTensor) {
      const other = found.get(name);
      if (other && other !== value) throw new CorruptFile(path, `two tensors in the pickle are called ${name}`);
      found.set(name, value);
      nameLengths += name.length;
      if (nameLengths > longestNames)
        throw new CorruptFile(path, `the names of the pickle's tensors have more than ${longestNames} characters`);
      totalBytes += elementsOf(value.shape) * bytesPerElement[value.dtype];
      return;
    }
    const visitItem = (key: string, item: PickleValue) => {
      visit(item, name === '' ? key : `${name}.${key}`, depth + 1);
    };
    if (value instanceof Map) {
      value.forEach((item, key) => {
        visitItem(typeof key === 'object' ? 'null' : String(key), item);
      });
    } else if (Array.isArray(value) || value instanceof PickleTuple) {
      const items = Array.isArray(value) ? value : value.items;
      items.forEach((item, index) => {
        visitItem(String(index), item);
      });
    } else if (value instanceof PickleRecord && value.state instanceof Map) visitItem('state', value.state);
  };
  visit(root, '', 0);
  // Tied weights are views of the same bytes, but a thousand views of a gigabyte would exhaust the memory of a caller that reads them all.
  if (totalBytes > 8 * fileSize + (64 << 20)) {
    throw new CorruptFile(path, `the tensors would take ${totalBytes} bytes, but the file has only ${fileSize}`);
  }
  return found;
}
