import { expect, test } from '@jest/globals';
import { rotate, rotations } from './index.js';
import { differentiate, expectClose } from './testing/differentiate.js';

test('rotate turns each pair by its position times its frequency', async () => {
  const [length, size, theta] = [5, 6, 100] as const;
  const { input, value, gradient, differences } = await differentiate([2, length, size], (x) =>
    rotate(x, rotations(length, size, theta)),
  );
  const expected = input.map((x, at) => {
    const [k, t] = [at % size, Math.floor(at / size) % length];
    const pair = k % (size / 2);
    const angle = t * theta ** ((-2 * pair) / size);
    const other = k < size / 2 ? -input[at + size / 2]! : input[at - size / 2]!;
    return x * Math.cos(angle) + other * Math.sin(angle);
  });
  expectClose(value, expected, 5);
  expectClose(gradient, differences, 1);
  expect(value.slice(0, size)).toEqual(input.slice(0, size)); // position 0 is not turned
});
