import { isIPv6 } from 'node:net';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseMemberAddress } from './member-address.js';

test.each([
  ['gpu-1:2222', 'gpu-1', 2222],
  ['gpu_1.example.org.:1', 'gpu_1.example.org.', 1],
  ['10.0.0.1:65535', '10.0.0.1', 65_535],
  ['[fd00::1]:2222', 'fd00::1', 2222],
  ['[::ffff:10.0.0.1]:2222', '::ffff:10.0.0.1', 2222],
  ['[1:2:3:4:5:6:7:8]:2222', '1:2:3:4:5:6:7:8', 2222],
])('%s is the address of a member', (text, host, port) => {
  expect(parseMemberAddress(text)).toEqual({ host, port });
});

test.each([
  'gpu-1',
  ':2222',
  'gpu-1:',
  '127.0.0.1:0',
  '127.0.0.1:99999',
  '127.0.0.1:65536',
  'gpu-1:02222',
  '-x:2222',
  'x-:2222',
  'a..b:2222',
  `${'a'.repeat(64)}:2222`,
  `${'a.'.repeat(127)}:2222`,
  'a b:1',
  'a:1,b:2',
  'u@host:1',
  'host/path:1',
  'münchen:1',
  'host:1\n',
  '127.1:2222',
  '010.0.0.1:2222',
  '1.2.3.256:2222',
  'a.0x7f:2222',
  '0.0.0.0:2222',
  '[::]:2222',
  '[0:0::0.0.0.0]:2222',
  '[::::]:5',
  '[%]:1',
  '[fe80::1%eth0]:1',
  '[1:2:3]:1',
  '[::1:2:3:4:5:6:7:8]:1',
  '[127.0.0.1]:1',
  '[::1.2.3]:1',
  '::1:2222',
  'fd00::1:2222',
])('%j is not the address of a member', (text) => {
  expect(parseMemberAddress(text)).toBeUndefined();
});

test('brackets hold what Node takes for an IPv6 address, except the unspecified one', () => {
  const part = fc.constantFrom(':', '::', '0', '1', 'ffff', 'g', '1.2.3.4', '.', '12345', '256.1.1.1');
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 16 }), (parts) => {
      const host = parts.join('');
      fc.pre(!/^[0:.]*$/.test(host));
      expect(parseMemberAddress(`[${host}]:1`) !== undefined).toBe(isIPv6(host));
    }),
    { numRuns: 5000 },
  );
});

test('an address that is parsed is the host and the port of a URL', () => {
  const part = fc.constantFrom('a', 'B', '_', '-', '.', '1', '127', '0x7', '[', '::1', ']', '%', '@', 'é');
  const text = fc.tuple(fc.array(part, { minLength: 1, maxLength: 6 }), fc.nat(70_000));
  fc.assert(
    fc.property(text, ([parts, port]) => {
      const address = `${parts.join('')}:${port}`;
      const parsed = parseMemberAddress(address);
      if (parsed !== undefined) expect(new URL(`http://${address}`).port).toBe(port === 80 ? '' : String(port));
    }),
    { numRuns: 5000 },
  );
});
