/** The page of a run in MLflow's web UI. */
export function runUrl(trackingUri: string, experimentId: string, runId: string): string {
  const [experiment, run] = [experimentId, runId].map(encodeURIComponent);
  // Without workflowType, the page has the menus of chat applications in place of those of model training.
  return `${trackingUri.replace(/\/+$/, '')}/#/experiments/${experiment}/runs/${run}?workflowType=machine_learning`;
}
