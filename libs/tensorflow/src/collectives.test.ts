import { Graph, hostTensor, Session } from './index.js';

test('two devices of one process add up what each has', async () => {
  const graph = new Graph();
  const int = (value: number) => graph.constant('int32', [], [value]);
  const devices = ['/device:CPU:0', '/device:CPU:1'];
  const replicas = devices.map((device) =>
    graph.onDevice(device, () => {
      const x = graph.placeholder('float32', [3]);
      const [groupSize, groupKey, instanceKey] = [2, 1, 7].map(int) as [
        ReturnType<typeof int>,
        ReturnType<typeof int>,
        ReturnType<typeof int>,
      ];
      const sum = graph.op('CollectiveReduceV2', [x, groupSize, groupKey, instanceKey, []], {
        merge_op: 'Add',
        final_op: 'Id',
      });
      return { x, sum };
    }),
  );
  const session = new Session(graph, { deviceCount: { CPU: 2 } });
  expect(session.devices().filter(({ type }) => type === 'CPU')).toHaveLength(2);
  const values = await session.run({
    feeds: replicas.map(({ x }, i) => [
      x,
      hostTensor(
        'float32',
        [3],
        Float32Array.of(1, 2, 3).map((v) => v * 10 ** i),
      ),
    ]),
    fetches: replicas.map(({ sum }) => sum),
  });
  for (const value of values) expect(value.data).toEqual(Float32Array.of(11, 22, 33));
  session.close();
  graph.close();
});
