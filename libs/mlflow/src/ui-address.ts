/** Addresses of pages in MLflow's web UI, for people to click. */

/** Shows the menus of model training around a page; without it they are those of chat applications. */
const training = 'workflowType=machine_learning';

/** The page of a run. */
export function runUrl(trackingUri: string, experimentId: string, runId: string): string {
  return page(
    trackingUri,
    `experiments/${encodeURIComponent(experimentId)}/runs/${encodeURIComponent(runId)}?${training}`,
  );
}

/** The list of an experiment's runs, with charts in place of the table when `charts` is set. */
export function experimentUrl(trackingUri: string, experimentId: string, o: { charts?: boolean } = {}): string {
  const mode = o.charts ? '&compareRunsMode=CHART' : '';
  return page(trackingUri, `experiments/${encodeURIComponent(experimentId)}/runs?${training}${mode}`);
}

/** Runs side by side. */
export function compareRunsUrl(trackingUri: string, o: { runIds: string[]; experimentIds: string[] }): string {
  const [runs, experiments] = [o.runIds, o.experimentIds].map((ids) => encodeURIComponent(JSON.stringify(ids)));
  return page(trackingUri, `compare-runs?runs=${runs}&experiments=${experiments}`);
}

/** A version of a registered model. */
export function modelVersionUrl(trackingUri: string, name: string, version: string): string {
  return page(trackingUri, `models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}`);
}

const page = (trackingUri: string, route: string): string => `${trackingUri.replace(/\/+$/, '')}/#/${route}`;
