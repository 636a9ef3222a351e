import type { WorkerDeploymentOptions } from '@temporalio/worker';
import { defineError } from '@nautil/contracts';
import { environmentVariable } from '@nautil/store';

/** One of the two variables of a deployment is missing. */
class DeploymentVersionIncomplete extends defineError('DeploymentVersionIncomplete', 'usage') {}

/**
 * The version of a deployment that this worker belongs to, by the variables that Temporal's Worker Controller sets:
 * `TEMPORAL_DEPLOYMENT_NAME` and `TEMPORAL_WORKER_BUILD_ID`. Runs stay on the version on which they started, so that a deployment of new
 * code does not change runs in progress (https://docs.temporal.io/worker-versioning).
 *
 * @returns undefined without the variables: the worker takes runs of any version
 * @throws DeploymentVersionIncomplete
 */
export function deploymentVersion(): WorkerDeploymentOptions | undefined {
  const [deploymentName, buildId] = ['TEMPORAL_DEPLOYMENT_NAME', 'TEMPORAL_WORKER_BUILD_ID'].map(environmentVariable);
  if (deploymentName === undefined && buildId === undefined) return undefined;
  if (deploymentName === undefined || buildId === undefined)
    throw new DeploymentVersionIncomplete(
      'only one of TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID is set, and a version consists of both',
      { hint: 'set both, or unset both for a worker without a version' },
    );
  return {
    version: { deploymentName, buildId },
    useWorkerVersioning: true,
    defaultVersioningBehavior: 'PINNED',
  };
}
