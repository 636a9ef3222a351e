import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { temporalCommand } from './temporal-command.js';
import { plainConnection, type TemporalConnection } from './temporal-connection.js';

const before = { ...process.env };
let folder: string;

function install(...path: string[]): void {
  mkdirSync(join(folder, ...path), { recursive: true });
  writeFileSync(join(folder, ...path, 'temporal'), '#!/bin/sh\n', { mode: 0o755 });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nautil-temporal-command-'));
  Object.assign(process.env, { NAUTIL_HOME: join(folder, '.nautil'), INIT_CWD: folder, PATH: join(folder, 'bin') });
  for (const name of Object.keys(process.env))
    if (name.startsWith('TEMPORAL_')) Reflect.deleteProperty(process.env, name);
  process.env['TEMPORAL_CONFIG_FILE'] = join(folder, 'temporal.toml');
  writeFileSync(join(folder, 'temporal.toml'), '');
});
afterEach(() => {
  process.env = { ...before };
  rmSync(folder, { recursive: true, force: true });
});

const list = (address = '127.0.0.1:7233', o: Partial<TemporalConnection> = {}): string =>
  temporalCommand(['workflow', 'list'], { ...plainConnection(address), ...o });

describe('a printed temporal command works as it is typed', () => {
  test('names the installed program, from the working folder where that is shorter, unless it is on PATH', () => {
    install('.nautil', 'python', 'bin');
    expect(list()).toBe('.nautil/python/bin/temporal workflow list');
    process.env['INIT_CWD'] = '/a/very/deep/folder/that/is/somewhere/else/entirely';
    expect(list()).toBe(`${folder}/.nautil/python/bin/temporal workflow list`);
    install('bin');
    expect(list()).toBe('temporal workflow list');
  });

  test('has the address that the program would not use by itself', () => {
    expect(list('10.0.0.1:7300')).toBe('temporal workflow list --address 10.0.0.1:7300');
    process.env['TEMPORAL_ADDRESS'] = '10.0.0.1:7300';
    expect(list('10.0.0.1:7300')).toBe('temporal workflow list');
    expect(list()).toBe('temporal workflow list --address 127.0.0.1:7233');
  });

  test('has the namespace that the program would not use by itself', () => {
    expect(list(undefined, { namespace: 'team' })).toBe('temporal workflow list --namespace team');
    process.env['TEMPORAL_NAMESPACE'] = 'team';
    expect(list(undefined, { namespace: 'team' })).toBe('temporal workflow list');
    expect(list()).toBe('temporal workflow list --namespace default');
  });

  test('does not use TLS where the server has none', () => {
    process.env['TEMPORAL_API_KEY'] = 'key';
    expect(list()).toBe('temporal workflow list --tls=false');
    expect(list(undefined, { security: { tls: true, apiKey: 'key' } })).toBe('temporal workflow list');
  });

  test('quotes what a shell would read differently', () =>
    expect(temporalCommand(['workflow', 'cancel', '-w', "it's mine"], plainConnection('127.0.0.1:7233'))).toBe(
      String.raw`temporal workflow cancel -w 'it'\''s mine'`,
    ));
});
