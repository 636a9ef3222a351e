import { readFileSync } from 'node:fs';
import { defineError } from '@nautil/contracts';
import { environmentVariable } from '../environment-variable.js';

/** MLflow's variables for TLS contradict one another, or name a file that cannot be read. */
class MlflowTlsInvalid extends defineError('MlflowTlsInvalid', 'config') {}

/** Options of Node's TLS. */
export interface TlsOptions {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
  rejectUnauthorized?: false;
}

/**
 * How to connect to the MLflow server that the environment names, by the variables of MLflow's own clients
 * (mlflow/environment_variables.py): `MLFLOW_TRACKING_SERVER_CERT_PATH` (authorities that sign the server's certificate, instead of the
 * public ones), `MLFLOW_TRACKING_CLIENT_CERT_PATH` (a PEM file with a certificate and its key) and `MLFLOW_TRACKING_INSECURE_TLS`.
 *
 * @returns undefined if none of them is set
 * @throws MlflowTlsInvalid
 */
export function mlflowTls(): TlsOptions | undefined {
  const ca = pemOf('MLFLOW_TRACKING_SERVER_CERT_PATH');
  const client = pemOf('MLFLOW_TRACKING_CLIENT_CERT_PATH');
  const isInsecure = /^(1|true)$/i.test(environmentVariable('MLFLOW_TRACKING_INSECURE_TLS') ?? 'false');
  if (isInsecure && ca !== undefined)
    throw new MlflowTlsInvalid(
      'MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH are both set, and MLflow accepts only one of them',
      { hint: 'unset MLFLOW_TRACKING_INSECURE_TLS, so that the server is verified' },
    );
  if (ca === undefined && client === undefined && !isInsecure) return undefined;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(client === undefined ? {} : { cert: client, key: client }),
    ...(isInsecure ? { rejectUnauthorized: false as const } : {}),
  };
}

/** Those of MLflow's variables for TLS that are set. They have no effect on a server whose address begins with http: */
export const mlflowTlsVariables = (): string[] =>
  ['MLFLOW_TRACKING_SERVER_CERT_PATH', 'MLFLOW_TRACKING_CLIENT_CERT_PATH', 'MLFLOW_TRACKING_INSECURE_TLS'].filter(
    (name) => environmentVariable(name) !== undefined,
  );

function pemOf(name: string): Buffer | undefined {
  const path = environmentVariable(name);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new MlflowTlsInvalid(`${name}: ${path} cannot be read: ${(cause as Error).message}`, {
      hint: 'name a PEM file, or unset the variable',
      cause,
    });
  }
}

/**
 * `fetch` that connects to one origin with these options, and to every other one, to which a redirect may lead, as if there were none:
 * the client's certificate, the private authority and the permission to skip the verification are for that origin alone.
 *
 * @param origin - such as `https://mlflow.example.com`
 * @param useProxy - whether to connect through the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name; default false
 */
export async function fetchWithTls(tls: TlsOptions, origin: string, useProxy = false): Promise<typeof fetch> {
  const undici = await import('undici');
  const own = useProxy
    ? new undici.EnvHttpProxyAgent({ connect: tls, requestTls: tls })
    : new undici.Agent({ connect: tls });
  const others = useProxy ? new undici.EnvHttpProxyAgent() : new undici.Agent();
  const dispatcher = others.compose(
    (dispatch) => (request, handler) =>
      String(request.origin) === origin ? own.dispatch(request, handler) : dispatch(request, handler),
  );
  return async (url, options) => {
    // undici's types and Node's have the same interface and are different classes.
    const request = { ...options, dispatcher } as Parameters<typeof undici.fetch>[1];
    const response: unknown = await undici.fetch(url as string | URL, request);
    return response as Response;
  };
}
