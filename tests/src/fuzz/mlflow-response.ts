const run = {
  info: {
    run_id: 'run',
    experiment_id: '1',
    status: 'RUNNING',
    artifact_uri: 'mlflow-artifacts:/1/run/artifacts',
    lifecycle_stage: 'active',
  },
};

const experiment = { experiment_id: '1', name: 'experiment', lifecycle_stage: 'active' };

/** The response of an MLflow server that has one experiment and one run, and accepts everything. */
export function mlflowResponse({ pathname }: URL): Response {
  const endpoint = pathname.replace(/^\/api\/2\.0\/mlflow\//, '');
  switch (endpoint) {
    case 'experiments/get-by-name':
      return Response.json({ experiment });
    case 'runs/search':
      return Response.json({ runs: [run] });
    case 'runs/get':
    case 'runs/create':
      return Response.json({ run });
    default:
      return Response.json({});
  }
}
