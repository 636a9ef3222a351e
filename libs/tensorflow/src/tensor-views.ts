import type { HostTensor } from './host-tensor.js';
import { nativeApi } from './library.js';
import type { Pointer } from './native.js';
import { viewOf } from './native-tensor.js';

/**
 * Keeps the results of runs in TensorFlow's memory, where they are read without a copy. On the CPU, the value of a variable
 * costs no memory until the variable changes: an update writes to new memory while the old is in use.
 *
 * @example
 * const views = new TensorViews();
 * const [weights] = await session.run({ fetches: [read], views });
 * await write(weights.data);
 * views.release(); // `weights.data` must not be read from here on
 */
export class TensorViews {
  #tensors: Pointer[] = [];

  /** Takes over a tensor. */
  add(tensor: Pointer): HostTensor {
    const view = viewOf(nativeApi(), tensor);
    this.#tensors.push(tensor);
    return view;
  }

  /** Frees the memory of all tensors. */
  release(): void {
    const tensors = this.#tensors;
    this.#tensors = [];
    for (const tensor of tensors) nativeApi().TF_DeleteTensor(tensor);
  }
}
