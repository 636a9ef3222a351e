import { fromTomlProfile, toClientOptions } from '@temporalio/envconfig';
import { environmentVariable } from '@nautil/store';
import { TemporalSettingError } from './errors.js';
import { parseTemporalAddress } from './temporal-address.js';
import { readSettingsFile, readTemporalProfile, type TemporalProfile } from './temporal-profile.js';

type ConnectionOptions = ReturnType<typeof toClientOptions>['connectionOptions'];

/** How programs reach a Temporal server. */
export interface TemporalConnection {
  /** `host:port`. */
  readonly address: string;
  readonly namespace: string;

  /** Encryption, keys and headers, as the SDK's connections take them; empty for a server without TLS. */
  readonly security: Pick<ConnectionOptions, 'tls' | 'apiKey' | 'metadata'>;
}

/**
 * A server without TLS, such as one that Nautil starts.
 *
 * @param source names the setting that has the address, in errors
 * @throws TemporalSettingError
 */
export const plainConnection = (address: string, source = "Temporal's address"): TemporalConnection => ({
  address: parseTemporalAddress(address, source),
  namespace: 'default',
  security: {},
});

/** Whether the address alone says how to connect. */
export const isPlain = ({ address, namespace, security }: TemporalConnection): boolean => {
  const plain = plainConnection(address);
  return namespace === plain.namespace && Object.keys(security).length === 0;
};

/**
 * The server that Temporal's own programs connect to, according to `TEMPORAL_ADDRESS` and the related variables, and to a profile
 * of `temporal.toml` (https://docs.temporal.io/develop/environment-configuration). Undefined if neither names an address.
 *
 * @throws TemporalSettingError
 */
export function configuredConnection(): TemporalConnection | undefined {
  const profile = readProfile();
  const { address } = profile.settings;
  if (address === undefined) return undefined;
  const checkedAddress = parseTemporalAddress(address, profile.sourceOf('address'));
  refuseUnsupported(profile);
  checkCertificates(profile);
  const { connectionOptions, namespace } = toClientOptions(fromTomlProfile(profile.settings));
  const { tls, apiKey, metadata } = connectionOptions;
  return {
    address: checkedAddress,
    namespace: namespace ?? 'default',
    security: {
      ...(tls === undefined ? {} : { tls }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(metadata === undefined ? {} : { metadata }),
    },
  };
}

/** What the Temporal CLI uses without options; nothing is known when its settings cannot be read. */
export function cliDefaults(): { address?: string; namespace?: string; usesTls: boolean } {
  try {
    const { address = '127.0.0.1:7233', namespace = 'default', tls, api_key: key } = readProfile().settings;
    return { address, namespace, usesTls: tls === undefined ? key !== undefined : tls.disabled !== true };
  } catch (error) {
    // Nautil itself need not use them: NAUTIL_TEMPORAL_ADDRESS takes precedence.
    if (error instanceof TemporalSettingError) return { usesTls: false };
    throw error;
  }
}

const noCodec = 'Nautil does not encode payloads with a remote codec';
const nameAuthority = 'name the certificate authority in TEMPORAL_TLS_SERVER_CA_CERT_PATH';

/** Settings of Temporal that its TypeScript SDK does not implement: following them in part would be unsafe or would fail late. */
const unsupportedVariables = [
  ['TEMPORAL_TLS_DISABLE_HOST_VERIFICATION', nameAuthority],
  ['TEMPORAL_CODEC_ENDPOINT', noCodec],
] as const;

function readProfile(): TemporalProfile {
  for (const [name, hint] of unsupportedVariables)
    if (!/^(0|false)$/i.test(environmentVariable(name) ?? 'false')) refuse(name, hint);
  return readTemporalProfile();
}

/** Refuses the same settings in the file. */
function refuseUnsupported({ settings: { codec, tls }, sourceOf }: TemporalProfile): void {
  if (codec !== undefined) refuse(sourceOf('codec'), `${noCodec}: name a profile without it in TEMPORAL_PROFILE`);
  if (tls?.disable_host_verification) refuse(sourceOf('tls.disable_host_verification'), nameAuthority);
}

function refuse(setting: string, hint: string): never {
  throw new TemporalSettingError(`${setting} is set, which Nautil does not support`, { hint: `${hint}, or unset it` });
}

const certificates = ['client_cert', 'client_key', 'server_ca_cert'] as const;

/** Checks that each certificate and key is given once and can be read, and that a client certificate has its key. */
function checkCertificates({ settings: { tls }, sourceOf }: TemporalProfile): void {
  if (tls === undefined || tls.disabled) return;
  const sources = certificates.map((name) => {
    const [path, data] = [tls[`${name}_path`], tls[`${name}_data`]];
    const [fromPath, fromData] = [sourceOf(`tls.${name}_path`), sourceOf(`tls.${name}_data`)];
    if (path !== undefined && data !== undefined) {
      throw new TemporalSettingError(`${fromPath} and ${fromData} are both set`, { hint: 'remove one of them' });
    }
    if (path !== undefined) readSettingsFile(path, fromPath);
    return path === undefined ? data && fromData : fromPath;
  });
  requireCertificatePair(sources[0], sources[1]);
}

/** Takes the settings that name the client's certificate and its key. */
function requireCertificatePair(certificate: string | undefined, key: string | undefined): void {
  if ((certificate === undefined) === (key === undefined)) return;
  const [missing, given] = certificate === undefined ? ['certificate', 'key'] : ['key', 'certificate'];
  throw new TemporalSettingError(`${certificate ?? key} names a client ${given} without its ${missing}`, {
    hint: 'set both TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH, or the two keys in the profile',
  });
}
