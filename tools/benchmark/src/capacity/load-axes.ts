import type { Column, TableSpec } from '../load-table.js';

/** A program that loads a server, or devices, step by step. */
export interface LoadAxis {
  /** For `--only`. */
  name: string;
  program: string;
  tables: TableSpec[];
}

const column = (figure: string, title: string, unit = ''): Column => ({ figure, title, unit });

/** Waits of workflow tasks for a worker, which delay every stage of a run. */
const waits = (prefix: string): Column[] => [
  column(`${prefix}.p50`, 'a task waits', 'ms'),
  column(`${prefix}.p99`, '99 % wait up to', 'ms'),
];

const requests = (prefix: string): Column[] => [
  column(`${prefix}.p50`, 'a request', 'ms'),
  column(`${prefix}.p99`, '99 % take up to', 'ms'),
  column(`${prefix}.failures`, 'failures'),
];

/** Its tables are not printed as they are: see `explainDevices`. */
export const devicesAxis: LoadAxis = {
  name: 'devices',
  program: 'load-devices',
  tables: [
    {
      name: 'rates',
      title: 'rates of the processor',
      columns: [column('rates.matmul', 'matmuls of a processor', 'GFLOP/s'), column('rates.update', 'update', 'ms')],
      remark: '',
    },
    {
      name: 'devices',
      title: 'steps on several devices',
      columns: [
        column('devices.devices', 'devices'),
        column('devices.processes', 'processes'),
        column('devices.step', 'processor time of a step', 'ms'),
        column('devices.allReduce', 'processor time of the all-reduce', 'ms'),
        column('devices.smallAllReduce', 'that of one number', 'ms'),
        column('devices.wall', 'time of the all-reduce', 'ms'),
        column('devices.smallWall', 'that of one number', 'ms'),
      ],
      remark: '',
    },
  ],
};

const temporalAxis: LoadAxis = {
  name: 'temporal',
  program: 'load-temporal',
  tables: [
    {
      name: 'temporal-trainings',
      title: 'Temporal: trainings at a time',
      columns: [
        column('training.trainings', 'trainings'),
        column('training.events', 'events', '1/s'),
        ...waits('training'),
        column('training.signalP99', '99 % of signals take up to', 'ms'),
        column('training.failures', 'failures'),
        column('training.serverCpu', 'server', 'processors'),
        column('training.loadCpu', 'worker and client', 'processors'),
        column('training.resident', 'memory of the server', 'MB'),
        column('training.database', 'database', 'kB per run'),
      ],
      remark:
        'Each run is one of the real workflow on a real worker; its activities return what those of a recorded real run returned. A load run sends the hundred signals and the heartbeats of a training of 17 minutes or more in ten seconds, and so counts as a hundred trainings at a time.',
    },
    {
      name: 'temporal-runs',
      title: 'Temporal: short runs, one after the other',
      columns: [
        column('short.callers', 'runs at a time'),
        column('short.rate', 'runs', '1/s'),
        column('short.run', 'a run takes', 'ms'),
        ...waits('short'),
        column('short.failures', 'failures'),
        column('short.serverCpu', 'server', 'processors'),
      ],
      remark: 'The same runs without a training: what the orchestration of a trial costs the server.',
    },
    {
      name: 'temporal-workers',
      title: 'Temporal: idle workers',
      columns: [
        column('idle.workers', 'workers'),
        column('idle.polls', 'polls'),
        ...waits('idle'),
        column('idle.failures', 'failures'),
        column('idle.serverCpu', 'server, idle', 'processors'),
        column('idle.resident', 'memory of the server', 'MB'),
      ],
      remark:
        'A worker of the role `all` keeps up to twenty polls open (ten for workflow tasks, and one for each activity that it may run at a time). They are opened without the workers’ processes. The waits are those of single runs meanwhile.',
    },
  ],
};

const mlflowAxis: LoadAxis = {
  name: 'mlflow',
  program: 'load-mlflow',
  tables: [
    {
      name: 'mlflow-metrics',
      title: 'MLflow: metrics',
      columns: [
        column('metrics.runs', 'runs that log without a pause'),
        column('metrics.rate', 'metrics', '1/s'),
        ...requests('metrics'),
        column('metrics.cpu', 'server', 'µs of processor per metric'),
        column('metrics.resident', 'memory of the server', 'MB'),
      ],
      remark:
        'Each request logs a thousand metrics, the most that a journal sends at once: five of each of 200 steps. Runs that do not wait for one another show the rate of the server; a training logs far less.',
    },
    {
      name: 'mlflow-runs',
      title: 'MLflow: new runs',
      columns: [column('creation.callers', 'callers'), column('creation.rate', 'runs', '1/s'), ...requests('creation')],
      remark: 'Each caller creates a run, and then the next.',
    },
    {
      name: 'mlflow-search',
      title: 'MLflow: searches of an experiment, the slowest of three',
      columns: [
        column('search.runs', 'runs'),
        column('search.byKey', 'by run key', 'ms'),
        column('search.page', 'the newest hundred', 'ms'),
        column('search.best', 'the best hundred by a metric', 'ms'),
      ],
      remark:
        'Every run has 150 parameters and 20 metrics. The first 50 were created through the server; the others are copies of them in its database. The start of each run searches by its key, the UI shows the newest hundred.',
    },
  ],
};

const artifactsAxis: LoadAxis = {
  name: 'artifacts',
  program: 'load-artifacts',
  tables: [
    {
      name: 'artifacts-folder',
      title: 'Artifact store: a folder',
      columns: [
        column('folder.writers', 'writers'),
        column('folder.put', 'all writers', 'MB/s'),
        column('folder.waits', 'a checkpoint takes', 's'),
        column('folder.get', 'all readers', 'MB/s'),
      ],
      remark:
        'Each writer stores a checkpoint of 270 MB (`NAUTIL_ARTIFACTS=/folder`): it is hashed, written, synced to the disk and renamed. Then as many readers fetch them into stores of their own, which hash and sync them, too.',
    },
    {
      name: 'artifacts-http',
      title: 'Artifact store: through MLflow’s server',
      columns: [
        column('http.writers', 'writers'),
        column('http.put', 'all writers', 'MB/s'),
        column('http.waits', 'a checkpoint takes', 's'),
        column('http.get', 'all readers', 'MB/s'),
        column('http.others', 'longest request of another run meanwhile', 'ms'),
      ],
      remark: 'The same with `NAUTIL_ARTIFACTS=http://…/api/2.0/mlflow-artifacts/artifacts/nautil`.',
    },
  ],
};

/** The axes whose tables show what a server carries, in the order of the report. */
export const capacityAxes: LoadAxis[] = [temporalAxis, mlflowAxis, artifactsAxis];
