import { expect, test } from '@jest/globals';
import { loadConfig } from './load-config.js';

const load = (hasBfloat16: boolean, override = 'trainer.precision=auto') =>
  loadConfig({
    configName: 'sst2',
    overrides: [override],
    env: { PRECISION: 'auto' },
    processor: { instructions: 'AVX-512', hasBfloat16 },
  });

test.each([
  [true, 'bf16-mixed', 'has instructions'],
  [false, 32, 'has no instructions'],
])('trainer.precision=auto is resolved by the processor: bfloat16 %j', async (hasBfloat16, precision, reason) => {
  const { config, tree, yaml, notes } = await load(hasBfloat16);
  expect(config.trainer.precision).toBe(precision);
  expect(tree['trainer']).toMatchObject({ precision });
  expect(yaml).toContain(`  precision: ${precision}\n`);
  expect(notes).toContain(`trainer.precision=auto is ${precision}: the processor (AVX-512) ${reason} for bfloat16`);
});

test('auto from the environment is resolved too, and stored as the format itself', async () => {
  const { config, tree, fromEnvironment } = await load(true, 'trainer.precision=${oc.env:PRECISION}');
  expect(config.trainer.precision).toBe('bf16-mixed');
  expect(tree['trainer']).toMatchObject({ precision: 'bf16-mixed' });
  expect(fromEnvironment.keys).not.toContain('trainer.precision');
});

test('any other precision stays as it is written, whatever the processor', async () => {
  for (const precision of [32, 'bf16', 'bf16-mixed'] as const) {
    const { config, notes } = await load(precision === 32, `trainer.precision=${precision}`);
    expect(config.trainer.precision).toBe(precision);
    expect(notes.join('\n')).not.toContain('auto is');
  }
});
