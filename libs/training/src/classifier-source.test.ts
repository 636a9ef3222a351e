import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { openClassifierSource } from './classifier-source.js';

test.each([
  ['missing.ckpt', /missing\.ckpt: there is no such file/],
  ['text.ckpt', /text\.ckpt: not a file of tensors/],
  ['empty.safetensors', /empty\.safetensors: the file is empty/],
])('a checkpoint that is missing or none is reported before the settings beside it: %s', async (name, message) => {
  await withFolder({ 'text.ckpt': 'a good film\t1\n', 'empty.safetensors': '' }, async (folder) => {
    await expect(openClassifierSource(join(folder, name), {})).rejects.toThrow(message);
  });
});
