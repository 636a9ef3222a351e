// cspell:ignore adress namespce nadress nnamespce notaport
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { stackAddresses } from './stack-settings.js';
import { temporalCommand } from './temporal-command.js';
import { configuredConnection, plainConnection } from './temporal-connection.js';

const before = { ...process.env };
let folder: string;
let configFile: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nautil-temporal-connection-'));
  configFile = join(folder, 'temporal.toml');
  writeFileSync(configFile, '');
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
      /^TEMPORAL_PROFILE=prod: .*temporal\.toml has no profile 'prod'$/,
    ],
    [
      'a certificate that does not exist',
      () => ({ TEMPORAL_TLS_CLIENT_CERT_PATH: '/nowhere/x.pem', TEMPORAL_TLS_CLIENT_KEY_PATH: '/nowhere/x.key' }),
      /^TEMPORAL_TLS_CLIENT_CERT_PATH: \/nowhere\/x\.pem does not exist$/,
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
      /^codec in .*temporal\.toml, profile prod is set, which Nautil does not support$/,
    ],
    [
      'the host not verified, in a profile',
      () => {
        writeFileSync(configFile, '[profile.default]\ntls = { disable_host_verification = true }\n');
        return {};
      },
      /^tls\.disable_host_verification in .*temporal\.toml, profile default is set/,
    ],
    [
      'a certificate given twice',
      () => ({ TEMPORAL_TLS_CLIENT_CERT_PATH: certificatePair().crt, TEMPORAL_TLS_CLIENT_CERT_DATA: 'CERTIFICATE' }),
      /^TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_CERT_DATA are both set$/,
    ],
    [
      'an authority that is a folder',
      () => ({ TEMPORAL_TLS_SERVER_CA_CERT_PATH: folder }),
      /^TEMPORAL_TLS_SERVER_CA_CERT_PATH: .* cannot be read: EISDIR/,
    ],
    ['TLS neither on nor off', () => ({ TEMPORAL_TLS: 'yes' }), /^TEMPORAL_TLS=yes is not true or false$/],
    ['an API key of two lines', () => ({ TEMPORAL_API_KEY: 'secret\nkey' }), /^TEMPORAL_API_KEY: the key (?!.*secret)/],
    ['a namespace with a space', () => ({ TEMPORAL_NAMESPACE: 'my team' }), /^TEMPORAL_NAMESPACE: "my team"/],
    [
      'a header of two lines',
      () => ({ TEMPORAL_GRPC_META_TEAM: 'a\nb' }),
      /^TEMPORAL_GRPC_META_TEAM: it cannot be sent/,
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
    expect(() => configuredConnection()).toThrow(`${configFile} is not valid TOML`);
  });

  test('a configuration file that a variable names and that does not exist', () => {
    process.env['TEMPORAL_CONFIG_FILE'] = join(folder, 'none.toml');
    expect(() => configuredConnection()).toThrow(`TEMPORAL_CONFIG_FILE: ${folder}/none.toml does not exist`);
  });

  test('a profile without a configuration file', () => {
    Object.assign(process.env, { TEMPORAL_CONFIG_FILE: '', XDG_CONFIG_HOME: folder, TEMPORAL_PROFILE: 'prd' });
    expect(() => configuredConnection()).toThrow(
      `TEMPORAL_PROFILE=prd: there is no configuration file ${folder}/temporalio/temporal.toml`,
    );
  });
});

describe('an address that is not host:port is an error that names its setting', () => {
  const malformed: [string, RegExp][] = [
    ['127.0.0.1:notaport', /a port is a whole number/],
    ['a:0', /a port is a whole number/],
    ['a:65536', /a port is a whole number/],
    ['a:', /a port is a whole number/],
    ['http://127.0.0.1:7233', /is a URL/],
    ['a:1/path', /not host:port/],
    [':7233', /not host:port/],
    ['a b:1', /not host:port/],
    ['key@a:1', /not host:port/],
    ['::1', /IPv6 address without brackets/],
    ['[a]:1', /not host:port/],
  ];
  test.each(malformed)('%s', (address, problem) => {
    process.env['TEMPORAL_ADDRESS'] = address;
    expect(() => stackAddresses()).toThrow(problem);
    expect(() => stackAddresses()).toThrow(/^TEMPORAL_ADDRESS: /);
    Object.assign(process.env, { TEMPORAL_ADDRESS: '', NAUTIL_TEMPORAL_ADDRESS: address });
    expect(() => stackAddresses()).toThrow(/^NAUTIL_TEMPORAL_ADDRESS: /);
    process.env['NAUTIL_TEMPORAL_ADDRESS'] = '';
    writeFileSync(configFile, `[profile.default]\naddress = "${address}"\n`);
    expect(() => stackAddresses()).toThrow(/^address in .*temporal\.toml, profile default: /);
  });

  test.each(['[::1]:7233', '[::1]'])('%s is one', (address) => {
    process.env['TEMPORAL_ADDRESS'] = address;
    expect(stackAddresses().temporal).toEqual(plainConnection('[::1]:7233'));
  });
});

describe('the profile in use is checked, also without an address', () => {
  test.each([
    ['[profile.default]\nadress = "a:1"\nnamespce = "x"', /profile default: unknown keys adress, namespce$/],
    ['[profile.default.tls]\nserver_nam = "a"', /profile default: unknown key tls\.server_nam$/],
    ['[profiles.default]\naddress = "a:1"', /temporal\.toml: unknown key profiles$/],
    ['[profile.default.tls]\ndisabled = "false"', /^tls\.disabled in .* is not a boolean$/],
    ['[profile.default]\nnamespace = 7', /^namespace in .* is not a string$/],
    ['[profile.default]\ntls = true', /^tls in .* is not a table$/],
    ['[profile]\ndefault = "a:1"', /profile default is not a table$/],
    ['[profile.default]\nnamespace = ""', /^namespace in .* "" is not a namespace$/],
    ['[profile.default]\napi_key = ""', /^api_key in .*: the key is empty/],
  ])('%j', (text, message) => {
    writeFileSync(configFile, text);
    expect(() => stackAddresses()).toThrow(message);
  });

  test('other profiles, which can be for other programs, are not', () => {
    writeFileSync(configFile, '[profile.default]\naddress = "a:1"\n[profile.other]\nadress = 7\n');
    expect(configuredConnection()).toEqual(plainConnection('a:1'));
  });

  test('with NAUTIL_TEMPORAL_ADDRESS, which takes precedence, none is', () => {
    writeFileSync(configFile, '[profile.default]\nadress = "a:1"');
    process.env['NAUTIL_TEMPORAL_ADDRESS'] = 'b:2';
    expect(stackAddresses().temporal).toEqual(plainConnection('b:2'));
    expect(temporalCommand(['workflow', 'list'], plainConnection('b:2'))).toMatch(/--address b:2 --namespace default$/);
  });
});
