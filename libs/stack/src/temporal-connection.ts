import { type ClientConfigProfile, loadClientConfigProfile, toClientOptions } from '@temporalio/envconfig';
import { tomlLoadClientConfigProfile } from '@temporalio/envconfig/lib/envconfig-toml.js';
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
  refuseCodecOfProfile();
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

const noCodec = 'Nautil does not encode payloads with a remote codec';

/** Settings of Temporal that its TypeScript SDK does not implement: following them in part would be unsafe or would fail late. */
const unsupported = [
  ['TEMPORAL_TLS_DISABLE_HOST_VERIFICATION', 'name the certificate authority in TEMPORAL_TLS_SERVER_CA_CERT_PATH'],
  ['TEMPORAL_CODEC_ENDPOINT', noCodec],
] as const;

function readProfile(): ClientConfigProfile {
  for (const [name, hint] of unsupported)
    if (!/^(0|false)$/i.test(environmentVariable(name) ?? 'false'))
      throw new TemporalSettingError(`${name} is set, which Nautil does not support`, { hint: `${hint}, or unset it` });
  return explained(() => loadClientConfigProfile({ overrideEnvVars: setVariables() }));
}

/** An empty variable counts as not set. */
function setVariables(): Record<string, string> {
  const set = Object.entries(process.env).filter((entry): entry is [string, string] => !!entry[1]);
  return Object.fromEntries(set);
}

/** The library leaves the codec out of the profiles that it returns. */
function refuseCodecOfProfile(): void {
  const { codec } = explained(() => tomlLoadClientConfigProfile({ overrideEnvVars: setVariables() }));
  if (codec === undefined) return;
  throw new TemporalSettingError(`${profileInUse()}: the codec is set, which Nautil does not support`, {
    hint: `${noCodec}: name a profile without \`codec\` in TEMPORAL_PROFILE`,
  });
}

/** The file of profiles, and the profile that a variable names. */
function profileInUse(): string {
  const file = environmentVariable('TEMPORAL_CONFIG_FILE') ?? "Temporal's configuration file";
  const profile = environmentVariable('TEMPORAL_PROFILE');
  return profile === undefined ? file : `${file}, profile ${profile}`;
}

function explained<T>(load: () => T): T {
  try {
    return load();
  } catch (cause) {
    throw new TemporalSettingError(
      `Temporal's settings cannot be used (${profileInUse()}): ${cause instanceof Error ? cause.message : String(cause)}`,
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
