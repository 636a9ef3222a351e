import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { readYaml } from './read-yaml.js';

test.each([
  ['!!str 3', '3', false],
  ['! 3', '3', false],
  ['!!str true', 'true', false],
  ['!!int 3', 3, false],
  ['!!int "3"', 3, false],
  ['!!int 0x10', 16, false],
  ['!!float 3', 3, true],
  ['!!float "1e-5"', 1e-5, true],
  ['!!bool yes', true, false],
  ['!!null ~', null, false],
])('a tag of a plain value determines its type: %s', (written, value, isFloat) =>
  withFolder({ 'x.yaml': `a: ${written}\n` }, async (folder) => {
    const { root } = await readYaml(join(folder, 'x.yaml'), 'x.yaml', false);
    expect(root.entries.get('a')).toMatchObject({ kind: 'scalar', value, isFloat });
  }),
);
