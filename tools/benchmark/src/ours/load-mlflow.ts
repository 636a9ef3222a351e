/**
 * Loads MLflow's server, as `nautil up` starts it, with metrics, new runs and searches, each up to the load under which a request takes
 * more than a second. The requests are those of Nautil's client; each caller stands for a trainer process of its own.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { createExperiment, createRun, logBatch, MlflowClient, searchRuns } from '@nautil/mlflow';
import { type ServerHandle, startMlflowServer } from '@nautil/stack';
import { stateFolder } from '../paths.js';
import { printSideOutput } from '../side-output.js';
import { closedLoop, figuresOf, increaseLoad, percentile } from './closed-loop.js';
import { groupUsage } from './group-usage.js';
import { withTemporaryFolder } from './timed-training.js';

const { values: o } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });

const tooLongMs = 1000;
const forSeconds = o.quick ? 2 : 5;
const callerCounts = o.quick ? [1, 4] : [1, 2, 4, 8, 16, 32, 64];

/** The largest group of a journal, and so one request: five metrics of 200 steps. */
const stepMetrics = ['loss', 'lr', 'grad_norm', 'examples_per_second', 'tokens_per_second'].map(
  (name) => `train/${name}`,
);
const stepsPerBatch = 200;

/** Runs that are created through the server; the others are copies of them in its database. */
const createdRuns = o.quick ? 20 : 50;
const searchedRuns = o.quick ? [20, 100] : [100, 1000, 10_000];
const searches = 3;

interface Load {
  server: ServerHandle;
  experimentId: string;
}

/**
 * A client as the process of one run has it. The clients of a process share two requests at a time to a server, by its address; here,
 * each has an address of its own, which leads to the same server.
 */
function clientOf(caller: number, { server }: Pick<Load, 'server'>): MlflowClient {
  const own = `/caller-${caller}`;
  return new MlflowClient({
    trackingUri: server.address + own,
    fetch: (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input);
      url.pathname = url.pathname.replace(own, '');
      return fetch(url, init);
    },
  });
}

const newRun = (client: MlflowClient, { experimentId }: Load) =>
  createRun(client, {
    experimentId,
    runName: 'load',
    tags: {
      'nautil.run_key': randomUUID(),
      'nautil.workflow_id': 'load',
      'nautil.model': 'all-MiniLM-L6-v2',
      'nautil.dataset': 'sst-2',
    },
  });

async function measureMetrics(runs: number, load: Load) {
  const clients = await Promise.all(
    Array.from({ length: runs }, async (_, caller) => {
      const client = clientOf(caller, load);
      return { client, runId: (await newRun(client, load)).info.runId, step: 0 };
    }),
  );
  const before = groupUsage(load.server.pid);
  const { rate, latencies, failures } = await closedLoop({
    callers: runs,
    seconds: forSeconds,
    work: async (caller) => {
      const run = clients[caller];
      if (run === undefined) return;
      const timestampMs = Date.now();
      const metrics = Array.from({ length: stepsPerBatch }, () => {
        run.step++;
        return stepMetrics.map((key) => ({ key, value: 1 / run.step, step: run.step, timestampMs }));
      }).flat();
      await logBatch(run.client, run.runId, { metrics });
    },
  });
  const { cpuSeconds, residentMb } = groupUsage(load.server.pid);
  const metricsPerBatch = stepsPerBatch * stepMetrics.length;
  return {
    runs,
    rate: rate * metricsPerBatch,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    failures,
    cpu: ((cpuSeconds - before.cpuSeconds) * 1e6) / (latencies.length * metricsPerBatch),
    resident: residentMb,
  };
}

async function measureCreations(callers: number, load: Load) {
  const clients = Array.from({ length: callers }, (_, caller) => clientOf(caller, load));
  const { rate, latencies, failures } = await closedLoop({
    callers,
    seconds: forSeconds,
    work: async (caller) => {
      const client = clients[caller];
      if (client !== undefined) await newRun(client, load);
    },
  });
  return { callers, rate, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), failures };
}

/** Fills an experiment with runs that have the parameters and the last metrics of real ones. */
async function createRuns(load: Load): Promise<void> {
  const client = clientOf(0, load);
  const params = Object.fromEntries(
    Array.from({ length: 150 }, (_, at) => [`model.part_${at % 10}.key_${at}`, `${at}`]),
  );
  const metrics = Array.from({ length: 20 }, (_, at) => ({
    key: `val/metric_${at}`,
    value: at,
    step: 1,
    timestampMs: at,
  }));
  for (let count = 0; count < createdRuns; count++) {
    const { info } = await newRun(client, load);
    await logBatch(client, info.runId, { params, metrics });
  }
}

/** Copies the runs of an experiment in MLflow's database until there are as many as wanted. */
const copyRuns = `
import sqlite3, sys
path, experiment, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = sqlite3.connect(path, timeout=60)
count = lambda: db.execute('select count(*) from runs where experiment_id = ?', (experiment,)).fetchone()[0]
originals = [row[0] for row in db.execute('select run_uuid from runs where experiment_id = ?', (experiment,))]
tables = ['runs', 'tags', 'params', 'latest_metrics', 'metrics']
columns = {table: [row[1] for row in db.execute(f'pragma table_info({table})')] for table in tables}
while count() < wanted:
    for original in originals[:wanted - count()]:
        copy = db.execute('select lower(hex(randomblob(16)))').fetchone()[0]
        for table in tables:
            values = [f"'{copy}'" if name == 'run_uuid' else f"value || '{copy}'" if (table, name) == ('tags', 'value') else name
                      for name in columns[table]]
            db.execute(f"insert into {table} ({','.join(columns[table])}) select {','.join(values)} from {table} where run_uuid = ?", (original,))
db.commit()
`;

async function measureSearch(runs: number, load: Load, folder: string) {
  const python = join(stateFolder, 'python', 'bin', 'python');
  await promisify(execFile)(python, ['-c', copyRuns, join(folder, 'mlflow.db'), load.experimentId, String(runs)]);
  const client = clientOf(0, load);
  const experimentIds = [load.experimentId];
  const [newest] = await searchRuns(client, { experimentIds, limit: 1 });
  const key = newest?.tags['nautil.run_key'] ?? '';
  const p99Of = async (search: () => Promise<unknown>): Promise<number> => {
    const latencies: number[] = [];
    for (let count = 0; count < searches; count++) {
      const startedAt = performance.now();
      await search();
      latencies.push(performance.now() - startedAt);
    }
    return percentile(latencies, 0.99);
  };
  const byKey = await p99Of(() => searchRuns(client, { experimentIds, filter: `tags.\`nautil.run_key\` = '${key}'` }));
  const page = await p99Of(() =>
    searchRuns(client, { experimentIds, orderBy: ['attributes.start_time DESC'], limit: 100 }),
  );
  const best = await p99Of(() =>
    searchRuns(client, { experimentIds, orderBy: ['metrics.`val/metric_7` DESC'], limit: 100 }),
  );
  return { runs, byKey, page, best };
}

const isTooSlow = ({ p99, failures }: { p99: number; failures: number }): boolean =>
  !(p99 <= tooLongMs) || failures > 0;

const figures = await withTemporaryFolder(async (folder) => {
  const server = await startMlflowServer({ folder });
  try {
    const experiment = (name: string) => createExperiment(clientOf(0, { server }), name);
    const load = { server, experimentId: await experiment('load') };
    const searched = { server, experimentId: await experiment('searched') };
    await newRun(clientOf(0, load), load); // the first request prepares the database
    const metrics = await increaseLoad(callerCounts, (runs) => measureMetrics(runs, load), isTooSlow);
    const creations = await increaseLoad(callerCounts, (callers) => measureCreations(callers, load), isTooSlow);
    await createRuns(searched);
    const search: Awaited<ReturnType<typeof measureSearch>>[] = [];
    for (const runs of searchedRuns) search.push(await measureSearch(runs, searched, folder));
    return { ...figuresOf('metrics', metrics), ...figuresOf('creation', creations), ...figuresOf('search', search) };
  } finally {
    await server.stop();
  }
});
printSideOutput({ figures, notes: ['The callers and the server share the processors of this machine'] });
