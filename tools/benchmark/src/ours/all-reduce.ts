/** Times TensorFlow's all-reduce between the devices of one or several processes, without anything else. */
import { parseArgs } from 'node:util';
import { allReduce, Graph, openTensorFlow, type Output, Session, startClusterServer } from '@nautil/tensorflow';
import { printSideOutput } from '../side-output.js';
import { withGroup } from './start-group.js';
import { cpuMilliseconds } from './timed-training.js';

const { values: o } = parseArgs({
  options: {
    /** Of each device: float32 numbers. */
    bytes: { type: 'string', default: '4000000' },
    devices: { type: 'string', default: '2' },
    processes: { type: 'string', default: '1' },
    repeats: { type: 'string', default: '10' },
    ...{ members: { type: 'string' }, index: { type: 'string' } },
  },
});
const [bytes, cpuDevices, processes] = [Number(o.bytes), Number(o.devices), Number(o.processes)];

/** The size of a weight of the encoder, so that there are as many buckets as in a training. */
const weightBytes = 384 * 384 * 4;

const reductions = await withGroup(processes, async (group) => {
  openTensorFlow();
  const cluster = group && (await startClusterServer(group, { cpuDevices }));
  const graph = new Graph();
  const sizes = Array.from({ length: Math.ceil(bytes / weightBytes) }, (_, at) =>
    Math.min(weightBytes, bytes - at * weightBytes),
  ).map((size) => Math.ceil(size / 4));
  const initial: Output[] = [];
  const contributions = Array.from({ length: cpuDevices }, (_, index) => {
    const name = `/device:CPU:${index}`;
    const device = cluster?.deviceName(name) ?? name;
    const values = graph.onDevice(device, () =>
      sizes.map((size, at) => {
        const value = graph.variable(`${index}/${at}`, [size]);
        const filled = graph.op('Fill', [
          graph.constant('int32', [1], Int32Array.of(size)),
          graph.constant('float32', [], Float32Array.of(1)),
        ]);
        initial.push(value.assign(filled));
        return value.read();
      }),
    );
    return { device, values };
  });
  const sums = allReduce(graph, contributions, { group: 1, size: cpuDevices * processes, instance: 1 }).flat();
  const session = new Session(graph, { cpuDevices, ...cluster });
  await session.run({ targets: initial });
  const [times, cpu] = [[] as number[], [] as number[]];
  for (let repeat = 0; repeat < Number(o.repeats); repeat++) {
    const [startedAt, cpuBefore] = [performance.now(), cpuMilliseconds()];
    await session.run({ targets: sums });
    times.push(performance.now() - startedAt);
    cpu.push(cpuMilliseconds() - cpuBefore);
  }
  return { times: times.slice(2), cpu: cpu.slice(2) }; // the first ones find the members and allocate
});
printSideOutput({ figures: { allReduce: reductions.times, cpu: reductions.cpu } });

// TensorFlow's server cannot be stopped, and serves the other processes until they have the last sum.
setTimeout(() => process.exit(0), processes > 1 ? 500 : 0);
