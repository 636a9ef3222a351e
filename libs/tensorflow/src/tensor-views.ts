import type { HostData, HostTensor } from './host-tensor.js';
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
  readonly #tensors = new Map<HostData, Pointer>();

  /** Takes over a tensor. */
  add(tensor: Pointer): HostTensor {
    const view = viewOf(nativeApi(), tensor);
    this.#tensors.set(view.data, tensor);
    return view;
  }

  /** Frees the memory of one tensor, of which `data` is the view; data of no tensor is ignored. */
  releaseOne(data: HostData): void {
    const tensor = this.#tensors.get(data);
    if (tensor === undefined) return;
    this.#tensors.delete(data);
    nativeApi().TF_DeleteTensor(tensor);
  }

  /** Frees the memory of all tensors. */
  release(): void {
    for (const data of [...this.#tensors.keys()]) this.releaseOne(data);
  }
}
