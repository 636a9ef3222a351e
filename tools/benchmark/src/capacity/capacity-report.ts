import { largest, smallest } from '@nautil/contracts';
import { columnOf, type LoadTable, markdownRow, tableSection } from '../load-table.js';
import { rounded } from '../report.js';
import { capacityAxes } from './load-axes.js';

/** A load is too heavy when one of a hundred requests or tasks waits for longer. */
const tooLongMs = 1000;

/** What a training logs for each step. */
const metricsPerStep = 5;
const checkpointMegabytes = 270;
const checkpointMinutes = 10;

/** The rows of a table whose load a server carries: 99 % are answered in time, and nothing fails. */
export function carriedRows(table: LoadTable, prefix: string): number[] {
  const waits = columnOf(table, `${prefix}.p99`);
  const failures = columnOf(table, `${prefix}.failures`);
  return waits.flatMap((wait, row) => (wait <= tooLongMs && (failures[row] ?? 0) === 0 ? [row] : []));
}

/** The largest value of a column among the loads that a server carries; undefined if it carries none of them. */
function mostCarried(table: LoadTable, prefix: string, figure: string): number | undefined {
  const column = columnOf(table, `${prefix}.${figure}`);
  const carried = carriedRows(table, prefix).map((row) => column[row] ?? NaN);
  return carried.length === 0 ? undefined : largest(carried);
}

/** Whether the heaviest load that was measured was carried, so that the limit is higher. */
const isLimitAbove = (table: LoadTable, prefix: string): boolean =>
  carriedRows(table, prefix).includes(table.rows.length - 1);

interface Limit {
  server: string;
  what: string;
  table: string;

  /** What the table says, as a phrase. */
  carries: (table: LoadTable) => string;

  /** What one processor carries that only the server uses, by the processor time that the server took. */
  alone?: (table: LoadTable) => number;
  insteadOf: string;
}

const beyond = (table: LoadTable, prefix: string): string =>
  isLimitAbove(table, prefix) ? ' (more was not tried)' : '';
const count = (value: number | undefined): string =>
  value === undefined ? 'less than was tried' : Math.round(value).toLocaleString('en-US');

/** Processor time of the server for each unit of a rate, in seconds: the least of the loads. */
const cpuPer = (table: LoadTable, prefix: string, rate: string): number => {
  const rates = columnOf(table, `${prefix}.${rate}`);
  return smallest(columnOf(table, `${prefix}.serverCpu`).map((cpu, row) => cpu / (rates[row] ?? NaN)));
};

/** A training sends a signal every ten seconds, which adds four events. */
const eventsOfTrainingPerSecond = 0.4;

const temporalReplacement =
  'Temporal with PostgreSQL (its Helm chart; history, matching and frontend as services of their own) or Temporal Cloud: `TEMPORAL_ADDRESS`';
const mlflowReplacement =
  'MLflow with PostgreSQL and several workers (`mlflow server --workers 4 --backend-store-uri postgresql://…`), which SQLite does not allow to write at a time: `MLFLOW_TRACKING_URI`';
const storeReplacement =
  'S3 or MinIO behind MLflow (`--artifacts-destination s3://…`) with workers of MLflow that only pass artifacts on (`--artifacts-only`), or a file system that all machines mount: `NAUTIL_ARTIFACTS`';

const limits: Limit[] = [
  {
    server: 'Temporal’s dev server',
    what: 'trainings at a time',
    table: 'temporal-trainings',
    carries: (table) => `${count(mostCarried(table, 'training', 'trainings'))}${beyond(table, 'training')}`,
    alone: (table) => 1 / (eventsOfTrainingPerSecond * cpuPer(table, 'training', 'events')),
    insteadOf: temporalReplacement,
  },
  {
    server: 'Temporal’s dev server',
    what: 'trials of sweeps an hour, beside their training',
    table: 'temporal-runs',
    carries: (table) => {
      const rate = mostCarried(table, 'short', 'rate');
      return `${count(rate === undefined ? undefined : rate * 3600)}${beyond(table, 'short')}`;
    },
    alone: (table) => 3600 / cpuPer(table, 'short', 'rate'),
    insteadOf: temporalReplacement,
  },
  {
    server: 'Temporal’s dev server',
    what: 'workers',
    table: 'temporal-workers',
    carries: (table) => `${count(mostCarried(table, 'idle', 'workers'))}${beyond(table, 'idle')}`,
    insteadOf: temporalReplacement,
  },
  {
    server: 'MLflow on SQLite',
    what: 'steps a second, all trainings together',
    table: 'mlflow-metrics',
    carries: (table) => {
      const rate = mostCarried(table, 'metrics', 'rate');
      return `${count(rate === undefined ? undefined : rate / metricsPerStep)}${beyond(table, 'metrics')}`;
    },
    alone: (table) => 1e6 / smallest(columnOf(table, 'metrics.cpu')) / metricsPerStep,
    insteadOf: mlflowReplacement,
  },
  {
    server: 'MLflow on SQLite',
    what: 'new runs an hour',
    table: 'mlflow-runs',
    carries: (table) => {
      const rate = mostCarried(table, 'creation', 'rate');
      return `${count(rate === undefined ? undefined : rate * 3600)}${beyond(table, 'creation')}`;
    },
    insteadOf: mlflowReplacement,
  },
  {
    server: 'MLflow on SQLite',
    what: 'runs of an experiment that are searched in a second',
    table: 'mlflow-search',
    carries: (table) => {
      const runs = columnOf(table, 'search.runs');
      const slowest = runs.map((_, row) =>
        largest(['byKey', 'page', 'best'].map((search) => columnOf(table, `search.${search}`)[row] ?? NaN)),
      );
      const carried = runs.filter((_, row) => (slowest[row] ?? NaN) <= tooLongMs);
      const isAbove = carried.length === runs.length;
      return `${count(carried.at(-1))}${isAbove ? ' (more was not tried)' : ''}`;
    },
    insteadOf: mlflowReplacement,
  },
  {
    server: 'a folder',
    what: `trainings that store a checkpoint of ${checkpointMegabytes} MB every ${checkpointMinutes} minutes`,
    table: 'artifacts-folder',
    carries: (table) => trainingsOf(table, 'folder'),
    insteadOf: storeReplacement,
  },
  {
    server: 'MLflow as artifact store',
    what: `trainings that store a checkpoint of ${checkpointMegabytes} MB every ${checkpointMinutes} minutes`,
    table: 'artifacts-http',
    carries: (table) => trainingsOf(table, 'http'),
    insteadOf: storeReplacement,
  },
];

function trainingsOf(table: LoadTable, prefix: string): string {
  const rate = largest(columnOf(table, `${prefix}.put`));
  return `${count((rate * 60 * checkpointMinutes) / checkpointMegabytes)} at ${rounded(rate)} MB/s`;
}

const aloneIn = (table: LoadTable, alone: Limit['alone']): string => {
  const value = alone?.(table) ?? NaN;
  return value > 0 ? `about ${Number(value.toPrecision(2)).toLocaleString('en-US')}` : '–';
};

/** The section of docs/scaling.md about what one server carries, from the tables that were measured. */
export function capacityMarkdown(tables: readonly LoadTable[]): string[] {
  const byName = new Map(tables.map((table) => [table.name, table]));
  const rows = limits.flatMap(({ server, what, table: name, carries, alone, insteadOf }) => {
    const table = byName.get(name);
    return table === undefined ? [] : [markdownRow([server, what, carries(table), aloneIn(table, alone), insteadOf])];
  });
  if (rows.length === 0) return [];
  return [
    '## What one server carries',
    '',
    `Measured with the servers that \`nautil up\` starts. A server carries a load if 99 of 100 requests or tasks wait for at most a second and none fails. The load, its workers and the server share the cores of one machine, so a server with a machine of its own carries more: the processor time that it took shows what one processor could carry; \`npx nx run benchmark:scaling -- --only ${capacityAxes.map(({ name }) => name).join(',')}\` measures yours. When the limit is near, replace the server; nothing in Nautil changes but the address.`,
    '',
    markdownRow(['server', 'carries', 'here', 'with a processor of its own', 'then use']),
    markdownRow(['---', '---', '---:', '---:', '---']),
    ...rows,
    '',
    ...capacityAxes.flatMap((axis) =>
      axis.tables.flatMap((spec) => {
        const table = byName.get(spec.name);
        return table === undefined ? [] : tableSection(spec, table);
      }),
    ),
  ];
}
