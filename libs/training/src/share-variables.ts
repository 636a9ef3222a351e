import type { ModelWeights, ReplicatedVariable } from '@nautil/model';
import { broadcast, type Output } from '@nautil/tensorflow';
import { deviceGroup, type DevicePlaces } from './train-step.js';

/** Variables are sent in runs of about this size. */
const bytesPerRun = 64 * 2 ** 20;
const floatBytes = 4;

/** Key of the first broadcast, beyond those of the gradients. */
const firstKey = 200_001;

/** Sets variables on all devices of all processes to their values on the first device. Every process must call it with the same variables. */
export async function shareVariables(
  weights: ModelWeights,
  variables: readonly ReplicatedVariable[],
  { offset, total }: DevicePlaces,
): Promise<void> {
  const { graph } = weights;
  let targets: Output[] = [];
  let bytes = 0;
  for (const [index, { shape, copies }] of variables.entries()) {
    const variable = variables[index]!;
    const key = { group: deviceGroup, size: total, instance: firstKey + index };
    const assigns = weights.onEachDevice((device) => {
      const isFirst = offset + device === 0;
      const value = broadcast(
        graph,
        isFirst ? weights.readOf(variable, device) : undefined,
        { dtype: 'float32', shape },
        key,
      );
      return isFirst ? value : copies[device]!.assign(graph.assumeShape(value, shape));
    });
    targets = targets.concat(assigns);
    bytes += shape.reduce((size, dim) => size * dim, floatBytes);
    if (bytes < bytesPerRun && index < variables.length - 1) continue;
    await weights.run({ targets });
    [targets, bytes] = [[], 0];
  }
}
