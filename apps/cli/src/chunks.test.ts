import { setTimeout } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { chunksOf } from './chunks.js';

async function* available(count: number): AsyncGenerator<number> {
  for (let item = 0; item < count; item++) yield item;
}

async function sizesOf(items: AsyncIterable<unknown>, o: Parameters<typeof chunksOf>[1]): Promise<number[]> {
  const sizes: number[] = [];
  for await (const chunk of chunksOf(items, o)) sizes.push(chunk.length);
  return sizes;
}

test.each([true, false])('items that are available form full chunks: prompt %s', async (prompt) => {
  expect(await sizesOf(available(1200), { prompt })).toEqual([512, 512, 176]);
  expect(await sizesOf(available(1024), { prompt })).toEqual([512, 512]);
  expect(await sizesOf(available(0), { prompt })).toEqual([]);
  expect(await sizesOf(available(1200), { prompt, multipleOf: 500 })).toEqual([1000, 200]);
});

test('a prompt chunk ends where the stream makes the reader wait', async () => {
  async function* slow() {
    yield 1;
    yield 2;
    await setTimeout(20);
    yield 3;
  }
  expect(await sizesOf(slow(), { prompt: true })).toEqual([2, 1]);
  expect(await sizesOf(slow(), { prompt: false })).toEqual([3]);
});

test('the items before an error are delivered before it', async () => {
  async function* failing() {
    yield 1;
    await setTimeout(20);
    throw new Error('damaged');
  }
  const chunks = chunksOf(failing(), { prompt: true });
  expect(await chunks.next()).toEqual({ done: false, value: [1] });
  await expect(chunks.next()).rejects.toThrow('damaged');
});

test('a consumer that stops does not wait for the next item', async () => {
  async function* endless() {
    yield 1;
    await new Promise(() => undefined);
  }
  for await (const chunk of chunksOf(endless(), { prompt: true })) {
    expect(chunk).toEqual([1]);
    break;
  }
});
