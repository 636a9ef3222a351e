import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MlflowAddressInvalid } from './errors.js';
import type { MlflowClient } from './mlflow-client.js';

/** Where an artifact of a run can be written: through the server, or to a folder of this machine. */
export type ArtifactLocation = { through: 'server'; path: string } | { through: 'folder'; path: string };

const proxy = '/api/2.0/mlflow-artifacts/artifacts';

/**
 * Combines a run's artifact address with a path below it.
 *
 * A server that was started without --artifacts-destination gives paths on its own disk. They can be used only when it runs
 * on this machine, and only if it is the process's own: a server that a run names must not choose where this process writes.
 *
 * @throws MlflowAddressInvalid for a cloud bucket or the disk of another machine, which only MLflow's server can reach
 */
export function artifactLocation(
  artifactUri: string,
  path: string,
  { trackingUri, isOwn }: Pick<MlflowClient, 'trackingUri' | 'isOwn'>,
): ArtifactLocation {
  const parts = path.split('/').filter((part) => part !== '');
  if (parts.some((part) => part === '..' || part === '.') || /[#\\]/.test(path) || path.startsWith('/')) {
    throw new MlflowAddressInvalid(`artifact path ${JSON.stringify(path)} is not a plain relative path`, {
      hint: 'MLflow refuses "..", "#", "\\" and a slash at the start',
    });
  }
  const url = URL.canParse(artifactUri) ? new URL(artifactUri) : undefined;
  if (url?.protocol === 'mlflow-artifacts:') {
    // Half of a surrogate pair, which a JSON text can have, can't be encoded. The conversion replaces it by U+FFFD.
    const encoded = parts.map((part) => encodeURIComponent(Buffer.from(part).toString()));
    return { through: 'server', path: [proxy + url.pathname.replace(/(?<!\/)\/+$/, ''), ...encoded].join('/') };
  }
  const isLocal = url === undefined || url.protocol === 'file:';
  if (isLocal && isOwn && isLoopback(trackingUri)) {
    return { through: 'folder', path: join(url ? fileURLToPath(url) : artifactUri, ...parts) };
  }
  throw new MlflowAddressInvalid(
    `the artifacts of this run are stored at ${artifactUri}, which this machine ${isLocal && isLoopback(trackingUri) ? 'writes to only for its own server' : 'cannot write to'}`,
    {
      hint:
        `start the MLflow server with --artifacts-destination ${storeOf(artifactUri, url)} and without --default-artifact-root, so that ` +
        'it accepts uploads and stores them there; then choose another experiment (exp_manager.name), because this one keeps its address',
    },
  );
}

/** The bucket alone: which part of the path below it belongs to the server is not known. */
const storeOf = (artifactUri: string, url: URL | undefined): string =>
  url === undefined || url.protocol === 'file:'
    ? 'FOLDER'
    : artifactUri.replace(/^([a-z][\w+.-]*:\/\/[^/]*).*$/i, '$1');

const isLoopback = (address: string): boolean =>
  ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(address).hostname);
