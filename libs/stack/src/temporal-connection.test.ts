import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { stackAddresses } from './stack-settings.js';
import { configuredConnection, plainConnection } from './temporal-connection.js';

const before = { ...process.env };
let folder: string;
let configFile: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nautil-temporal-connection-'));
  configFile = join(folder, 'temporal.toml');
  for (const name of Object.keys(process.env))
    if (/^(NAUTIL_)?TEMPORAL_/.test(name)) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, { NAUTIL_HOME: folder, TEMPORAL_CONFIG_FILE: configFile });
});
afterEach(() => {
  process.env = { ...before };
  rmSync(folder, { recursive: true, force: true });
});

const cloud = 'ns.a1b2c.tmprl.cloud:7233';

/** Writes two files and returns their paths. */
function certificatePair(): { crt: string; key: string } {
  const [crt, key] = [join(folder, 'client.pem'), join(folder, 'client.key')];
  writeFileSync(crt, 'CERTIFICATE');
  writeFileSync(key, 'KEY');
  return { crt, key };
}

describe("the server is the one that Temporal's own programs connect to", () => {
  test('without an address there is none, whatever else is set', () => {
    Object.assign(process.env, { TEMPORAL_NAMESPACE: 'team', TEMPORAL_API_KEY: 'secret' });
    expect(configuredConnection()).toBeUndefined();
    expect(stackAddresses().temporal).toEqual(plainConnection('127.0.0.1:7233'));
  });

  test('from the variables: a key is sent over TLS', () => {
    Object.assign(process.env, { TEMPORAL_ADDRESS: cloud, TEMPORAL_NAMESPACE: 'ns.a1b2c', TEMPORAL_API_KEY: 'secret' });
    expect(configuredConnection()).toEqual({
      address: cloud,
      namespace: 'ns.a1b2c',
      security: { tls: true, apiKey: 'secret' },
    });
  });

  test('from the variables: certificates are read from their files', () => {
    const { crt, key } = certificatePair();
    Object.assign(process.env, {
      TEMPORAL_ADDRESS: cloud,
      TEMPORAL_TLS_CLIENT_CERT_PATH: crt,
      TEMPORAL_TLS_CLIENT_KEY_PATH: key,
      TEMPORAL_TLS_SERVER_NAME: 'other.name',
    });
    const { security, namespace } = configuredConnection()!;
    expect(namespace).toBe('default');
    const { tls } = security;
    if (typeof tls !== 'object' || tls === null) throw new Error('no TLS');
    expect(tls.serverNameOverride).toBe('other.name');
    expect(Buffer.from(tls.clientCertPair!.crt).toString()).toBe('CERTIFICATE');
    expect(Buffer.from(tls.clientCertPair!.key).toString()).toBe('KEY');
  });

  test('from the profile of the configuration file that TEMPORAL_PROFILE names; variables override it', () => {
    writeFileSync(
      configFile,
      `[profile.default]\naddress = "a:1"\n[profile.prod]\naddress = "b:2"\nnamespace = "prod"\napi_key = "secret"\n`,
    );
    expect(configuredConnection()).toEqual(plainConnection('a:1'));
    process.env['TEMPORAL_PROFILE'] = 'prod';
    expect(configuredConnection()).toEqual({
      address: 'b:2',
      namespace: 'prod',
      security: { tls: true, apiKey: 'secret' },
    });
    process.env['TEMPORAL_NAMESPACE'] = 'other';
    expect(configuredConnection()).toMatchObject({ address: 'b:2', namespace: 'other' });
    expect(stackAddresses().temporal).toMatchObject({ address: 'b:2', namespace: 'other' });
  });

  test('an address without a port has the usual one', () => {
    process.env['TEMPORAL_ADDRESS'] = 'temporal.example.com';
    expect(configuredConnection()).toEqual(plainConnection('temporal.example.com:7233'));
    process.env['NAUTIL_TEMPORAL_ADDRESS'] = '10.0.0.1';
    expect(stackAddresses().temporal.address).toBe('10.0.0.1:7233');
  });

  test('an empty variable counts as not set', () => {
    Object.assign(process.env, { TEMPORAL_ADDRESS: 'a:1', TEMPORAL_API_KEY: '', TEMPORAL_PROFILE: '' });
    expect(configuredConnection()).toEqual(plainConnection('a:1'));
  });

  test('the address of the server that Nautil starts itself means that server', () => {
    Object.assign(process.env, { TEMPORAL_ADDRESS: 'localhost:7301', NAUTIL_TEMPORAL_PORT: '7301' });
    expect(stackAddresses()).toMatchObject({
      temporal: plainConnection('127.0.0.1:7301'),
      temporalUiUrl: 'http://127.0.0.1:8233',
    });
  });

  test('keys are not sent to the server that NAUTIL_TEMPORAL_ADDRESS names', () => {
    Object.assign(process.env, { TEMPORAL_ADDRESS: cloud, TEMPORAL_API_KEY: 'secret', NAUTIL_TEMPORAL_ADDRESS: 'a:1' });
    expect(stackAddresses().temporal).toEqual(plainConnection('a:1'));
  });
});

describe('the UI of a server elsewhere', () => {
  test.each([cloud, 'eu-west-1.aws.api.temporal.io:7233'])('is that of Temporal Cloud for %s', (address) => {
    process.env['TEMPORAL_ADDRESS'] = address;
    expect(stackAddresses().temporalUiUrl).toBe('https://cloud.temporal.io');
  });

  test.each(['temporal.example.com:7233', 'tmprl.cloud.example.com:7233'])('is not known for %s', (address) => {
    process.env['TEMPORAL_ADDRESS'] = address;
    expect(stackAddresses().temporalUiUrl).toBeUndefined();
    process.env['NAUTIL_TEMPORAL_UI_URL'] = 'https://ui.example.com';
    expect(stackAddresses().temporalUiUrl).toBe('https://ui.example.com');
  });
});

describe('settings that cannot be followed are errors that name them', () => {
  const failing: [string, () => Record<string, string>, RegExp][] = [
    [
      'a profile that does not exist',
      () => ({ TEMPORAL_PROFILE: 'prod' }),
      /temporal\.toml, profile prod.*'prod' not found/,
    ],
    [
      'a certificate that does not exist',
      () => ({ TEMPORAL_TLS_CLIENT_CERT_PATH: '/nowhere/x.pem', TEMPORAL_TLS_CLIENT_KEY_PATH: '/nowhere/x.key' }),
      /nowhere\/x\.pem/,
    ],
    [
      'a certificate without its key',
      () => ({ TEMPORAL_TLS_CLIENT_CERT_PATH: certificatePair().crt }),
      /without its key/,
    ],
    [
      'a key without its certificate',
      () => ({ TEMPORAL_TLS_CLIENT_KEY_PATH: certificatePair().key }),
      /without its cert/,
    ],
    ['the host not verified', () => ({ TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: 'true' }), /DISABLE_HOST_VERIFICATION/],
    ['a remote codec', () => ({ TEMPORAL_CODEC_ENDPOINT: 'http://c' }), /TEMPORAL_CODEC_ENDPOINT/],
    [
      'the codec of a profile',
      () => {
        writeFileSync(configFile, '[profile.prod]\n[profile.prod.codec]\nendpoint = "http://c"\n');
        return { TEMPORAL_PROFILE: 'prod' };
      },
      /temporal\.toml, profile prod: the codec is set/,
    ],
  ];
  test.each(failing)('%s', (_, variables, message) => {
    Object.assign(process.env, { TEMPORAL_ADDRESS: cloud, ...variables() });
    expect(() => configuredConnection()).toThrow(message);
    expect(() => stackAddresses()).toThrow(expect.objectContaining({ name: 'TemporalSettingError', kind: 'usage' }));
  });

  test('the codec of another profile is not one of them, nor that of a profile without an address', () => {
    writeFileSync(configFile, '[profile.default]\n[profile.other.codec]\nendpoint = "http://c"\n');
    process.env['TEMPORAL_ADDRESS'] = 'a:1';
    expect(configuredConnection()).toEqual(plainConnection('a:1'));
    Object.assign(process.env, { TEMPORAL_ADDRESS: '', TEMPORAL_PROFILE: 'other' });
    expect(configuredConnection()).toBeUndefined();
  });

  test('a configuration file that is not TOML', () => {
    writeFileSync(configFile, '[profile');
    expect(() => configuredConnection()).toThrow(configFile);
  });
});
