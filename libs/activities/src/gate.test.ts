import { expect, test } from '@jest/globals';
import { Gate } from './gate.js';

test('so many are in at a time, and the others are let in in turn', async () => {
  const gate = new Gate(2);
  const order: number[] = [];
  const leave = await Promise.all([gate.enter(), gate.enter()]);
  const waiting = [1, 2].map((number) => gate.enter().then((leave) => (order.push(number), leave)));
  await new Promise((resolve) => setImmediate(resolve));
  expect(order).toEqual([]);
  leave[0]!();
  const next = await waiting[0]!;
  expect(order).toEqual([1]);
  next();
  (await waiting[1]!)();
  leave[1]!();
  await gate.enter();
  await gate.enter();
});

test('who is called away while waiting takes no turn', async () => {
  const gate = new Gate(1);
  const leave = await gate.enter();
  const called = new AbortController();
  const gone = gate.enter(called.signal);
  const staying = gate.enter();
  called.abort(new Error('cancelled'));
  await expect(gone).rejects.toThrow('cancelled');
  leave();
  (await staying)();
  await expect(gate.enter(called.signal)).rejects.toThrow('cancelled');
  await gate.enter();
});
