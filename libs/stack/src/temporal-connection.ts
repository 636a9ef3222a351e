import { type ClientConfigProfile, loadClientConfigProfile, toClientOptions } from '@temporalio/envconfig';
import { defineError } from '@nautil/contracts';
import { environmentVariable } from '@nautil/store';

type ConnectionOptions = ReturnType<typeof toClientOptions>['connectionOptions'];

/** How programs reach a Temporal server. */
export interface TemporalConnection {
  /** `host:port`. */
  readonly address: string;
  readonly namespace: string;

  /** Encryption, keys and headers, as the SDK's connections take them; empty for a server without TLS. */
  readonly security: Pick<ConnectionOptions, 'tls' | 'apiKey' | 'metadata'>;
}

/** Temporal's environment variables, or its configuration file, cannot be used. */
class TemporalSettingError extends defineError('TemporalSettingError', 'usage') {}

/** As Temporal's own programs, which need no port for a server at its usual one. */
const withPort = (address: string): string => (/:\d+$/.test(address) ? address : `${address}:7233`);

/** A server without TLS, such as one that Nautil starts. */
export const plainConnection = (address: string): TemporalConnection => ({
  address: withPort(address),
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
  if (profile.address === undefined) return undefined;
  const { connectionOptions, namespace } = explained(() => toClientOptions(profile));
  const { tls, apiKey, metadata } = connectionOptions;
  if (typeof tls === 'object' && tls !== null) requireCertificatePair(profile);
  return {
    address: withPort(profile.address),
    namespace: namespace ?? 'default',
    security: {
      ...(tls === undefined ? {} : { tls }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(metadata === undefined ? {} : { metadata }),
    },
  };
}

/** Address and namespace that the Temporal CLI uses without options. */
export function cliDefaults(): { address: string; namespace: string; usesTls: boolean } {
  const { address = '127.0.0.1:7233', namespace = 'default', tls, apiKey } = readProfile();
  return { address, namespace, usesTls: tls === undefined ? apiKey !== undefined : tls.disabled !== true };
}

/** Settings of Temporal that its TypeScript SDK does not implement: following them in part would be unsafe or would fail late. */
const unsupported = [
  ['TEMPORAL_TLS_DISABLE_HOST_VERIFICATION', 'name the certificate authority in TEMPORAL_TLS_SERVER_CA_CERT_PATH'],
  ['TEMPORAL_CODEC_ENDPOINT', 'Nautil does not encode payloads with a remote codec'],
] as const;

function readProfile(): ClientConfigProfile {
  for (const [name, hint] of unsupported)
    if (!/^(0|false)$/i.test(environmentVariable(name) ?? 'false'))
      throw new TemporalSettingError(`${name} is set, which Nautil does not support`, { hint: `${hint}, or unset it` });
  const set = Object.entries(process.env).filter((entry): entry is [string, string] => !!entry[1]);
  return explained(() => loadClientConfigProfile({ overrideEnvVars: Object.fromEntries(set) }));
}

function explained<T>(load: () => T): T {
  try {
    return load();
  } catch (cause) {
    const file = environmentVariable('TEMPORAL_CONFIG_FILE') ?? "Temporal's configuration file";
    const profile = environmentVariable('TEMPORAL_PROFILE');
    const of = profile === undefined ? '' : `, profile ${profile}`;
    throw new TemporalSettingError(
      `Temporal's settings cannot be used (${file}${of}): ${cause instanceof Error ? cause.message : String(cause)}`,
      { hint: 'correct that file or the variables TEMPORAL_*', cause },
    );
  }
}

function requireCertificatePair({ tls }: ClientConfigProfile): void {
  if ((tls?.clientCert === undefined) === (tls?.clientKey === undefined)) return;
  const [missing, given] = tls?.clientCert === undefined ? ['certificate', 'key'] : ['key', 'certificate'];
  throw new TemporalSettingError(`Temporal's settings name a client ${given} without its ${missing}`, {
    hint: 'set both TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH',
  });
}
