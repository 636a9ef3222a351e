import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { type Content, contentOf } from './content-of.js';

const zip = (name: string): Buffer =>
  Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(26, 1), Buffer.from(name), Buffer.alloc(1000)]);
const tar = Buffer.from(`${'model_config.yaml'.padEnd(257, '\0')}ustar\0`.padEnd(1024, '\0'));

test.each<[string, Content, Uint8Array | string]>([
  ['safetensors', 'tensors', '\x40\x01\0\0\0\0\0\0{"a":'],
  ['a zip of torch.save', 'tensors', zip('archive/data.pkl')],
  ['an old file of torch.save', 'tensors', Buffer.from([0x80, 2, 0x8a, 0x0a, 0x6c])],
  ['another pickle', 'tensors', Buffer.from([0x80, 4, 0x95, 0])],
  ['tar', 'archive', tar],
  ['tar packed by gzip', 'archive', gzipSync(tar)],
  ['lines packed by gzip', 'other', gzipSync('a\t0\nb\t1\n')],
  ['a gzip file without content', 'other', Buffer.from([0x1f, 0x8b])],
  ['a workbook', 'other', zip('[Content_Types].xml')],
  ['lines', 'other', 'a good film\t1\n'],
  ['lines of JSON', 'other', '{"text": "a"}\n'],
  ['an empty file', 'other', ''],
])(
  'the first bytes of a file tell whether it is an archive, tensors or something else: %s',
  async (_, content, bytes) => {
    await withFolder({ file: bytes }, async (folder) => {
      expect(await contentOf(join(folder, 'file'))).toBe(content);
      expect(await contentOf(join(folder, 'missing'))).toBe('other');
      expect(await contentOf(folder)).toBe('other');
    });
  },
);
