import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MlflowAddressInvalid } from './errors.js';

/** Where the artifacts of a run can be written: through the server, or in a folder of this machine. */
export type ArtifactPlace = { through: 'server'; path: string } | { through: 'folder'; path: string };

const proxy = '/api/2.0/mlflow-artifacts/artifacts';

/**
 * Finds the place behind a run's artifact address and a path under it.
 *
 * A server started without --artifacts-destination gives addresses of its own disk, which are ours only when it runs here.
 *
 * @throws MlflowAddressInvalid for a cloud bucket or another machine's disk, which only MLflow's server can reach
 */
export function artifactPlace(artifactUri: string, path: string, trackingUri: string): ArtifactPlace {
  const parts = path.split('/').filter((part) => part !== '');
  if (parts.some((part) => part === '..' || part === '.') || /[#\\]/.test(path) || path.startsWith('/')) {
    throw new MlflowAddressInvalid(`artifact path ${JSON.stringify(path)} is not a plain relative path`, {
      hint: 'MLflow refuses "..", "#", "\\" and a slash at the start',
    });
  }
  const url = URL.canParse(artifactUri) ? new URL(artifactUri) : undefined;
  if (url?.protocol === 'mlflow-artifacts:') {
    const encoded = parts.map((part) => encodeURIComponent(part));
    return { through: 'server', path: [proxy + url.pathname.replace(/\/+$/, ''), ...encoded].join('/') };
  }
  const local = url === undefined || url.protocol === 'file:';
  if (local && isLoopback(trackingUri)) {
    return { through: 'folder', path: join(url ? fileURLToPath(url) : artifactUri, ...parts) };
  }
  throw new MlflowAddressInvalid(
    `artifacts of this run are kept at ${artifactUri}, which cannot be written from here`,
    {
      hint: 'start the MLflow server with --artifacts-destination (not --default-artifact-root), so that it passes them on; old experiments keep their address',
    },
  );
}

const isLoopback = (address: string): boolean =>
  ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(address).hostname);
