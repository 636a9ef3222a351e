import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join, relative } from 'node:path';
import { finishTracking, stages } from '@nautil/activities';
import { ConfigError } from '@nautil/config';
import type { Evaluated, JsonValue, LoggedEvent, Packaged, ResolvedRun } from '@nautil/contracts';
import { readNemo } from '@nautil/formats/nemo';
import { sha256File, sha256Of } from '@nautil/store';
import type { Trainers } from '@nautil/trainer-process';

/** What can be measured of a run, as text by name, in the order of the run. */
export type Observation = Partial<Record<Facet, string>>;

/** The measurements, grouped by the part of the run that they belong to, which the schema calls `affects`. */
export const facets = {
  inputs: ['data', 'classes', 'encoder'],
  training: ['tokenizer', 'tokens', 'learning rates', 'losses', 'gradient norms', 'validations', 'best', 'weights'],
  evaluation: ['evaluated weights', 'report', 'answers'],
  package: ['recorded configuration', 'archived tensors', 'archive'],
  nothing: [
    'failure',
    'output',
    'files',
    'checkpoints',
    'MLflow',
    'registered model',
    'tokenizer threads',
    'threads',
    'token cache',
  ],
} as const;

type Facet = (typeof facets)[keyof typeof facets][number];

/**
 * Runs all stages with the overrides, and measures what they do and leave. A failure is a measurement, too.
 *
 * @param o.cwd - a folder for the run, whose files are listed
 */
export async function observeRun(o: {
  cwd: string;
  overrides: readonly string[];
  runKey: string;
  trainers: Trainers;
}): Promise<Observation> {
  const seen: Observation = {};
  const output: string[] = [];
  try {
    await runStages(o, seen, output);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    seen.failure = (error as Error).message;
  }
  const masked = (text: string): string =>
    text.replaceAll(o.cwd, '.').replaceAll(o.runKey, 'RUN').replaceAll(times, 'TIME');
  seen.output = masked(output.filter((line) => !line.includes('Config Params:')).join('\n'));
  seen.files = masked((await filesUnder(o.cwd)).join('\n'));
  return seen;
}

const times = /\d{4}-\d\d-\d\d[_ ]\d\d[-:]\d\d[-:]\d\d|tfevents\.\S+/g;

async function runStages(
  { cwd, overrides, runKey, trainers }: Parameters<typeof observeRun>[0],
  seen: Observation,
  output: string[],
): Promise<void> {
  const echo = (entry: string): void => {
    output.push(entry);
  };
  const request = { workflowId: 'observed', runKey, taskQueue: 'none', overrides: [...overrides] };
  const run = await stages.resolveRun(request, { cwd, echo, command: ['train'] });
  output.push(...run.notes.filter((note) => !note.startsWith('logs and')));
  seen.MLflow = text({ experiment: run.experiment, uri: run.trackingUri ?? null });

  const source = await stages.download({ run });
  const data = await stages.convert({ run, source, echo });
  const inputs = await stages.cache({ run, source, data });
  seen.data = text([data.digest, data.examples]);
  seen.classes = text(data.numClasses);
  seen.encoder = inputs.encoderDigest;

  let workers = 0;
  const tokens = await stages.tokenize({ run, inputs, echo }, () => {
    const ports = process.getActiveResourcesInfo().filter((resource) => resource === 'MessagePort');
    workers = Math.max(workers, ports.length);
  });
  output.push(`tokenize: ${tokens.detail}`, ...(tokens.notes ?? []));
  seen['tokenizer threads'] = text(workers);
  const { train, validation, test } = tokens;
  seen.tokenizer = tokens.tokenizerDigest;
  seen.tokens = text([train, validation, test].map((split) => split?.file.sha256 ?? null));
  seen['token cache'] = text({ reused: tokens.reused, shared: train.file.path.includes('/store/') });

  const events: LoggedEvent[] = [];
  const checkpoints: number[] = [];
  let pid: number | undefined;
  const model = await stages.trainModel(
    { run, inputs, tokens, stopEarly: false },
    {
      compute: (task, record) =>
        trainers.run({
          task,
          onStarted: (running) => {
            pid = running.pid;
          },
          onProgress: async (event) => {
            if (event.type === 'warning') output.push(`warning: ${event.message}`);
            if (event.type === 'done' && pid !== undefined)
              seen.threads = text((await readdir(`/proc/${pid}/task`)).length);
          },
          onCommitted: async (checkpoint) => {
            events.push(...checkpoint.events);
            checkpoints.push(checkpoint.step);
            await record(checkpoint);
          },
        }),
    },
  );
  const steps = events.filter((event) => event.type === 'step');
  seen['learning rates'] = text(steps.map(({ step, lr }) => [step, lr]));
  seen.losses = text(steps.map(({ loss }) => loss));
  seen['gradient norms'] = text(steps.map(({ gradNorm }) => gradNorm ?? null));
  seen.validations = text(events.filter((event) => event.type === 'eval').map(({ step, loss }) => [step, loss]));
  seen.checkpoints = text(checkpoints);
  seen.best = text((model.best ?? null) as JsonValue);
  seen.weights = model.lastWeights.sha256;

  const evaluated = await stages.evaluate(
    { run, inputs, tokens, model },
    (task) => trainers.run({ task: { do: 'evaluate', ...task } }),
    { echo },
  );
  seen['evaluated weights'] = evaluated.picked;
  seen.report = text([evaluated.scores ?? null, evaluated.report ?? null] as unknown as JsonValue);
  seen.answers = evaluated.answers ? await readFile(evaluated.answers.path, 'utf8') : 'none';

  const packaged = await stages.packageModel({ run, inputs, tokens, evaluated, echo });
  seen.archive = await sha256File(packaged.nemo.path);
  const archive = await readNemo(packaged.nemo.path);
  seen['recorded configuration'] = text(archive.config);
  seen['archived tensors'] = text([...archive.tensors.names()]);
  await archive.close();
  await trackIn(run, { evaluated, packaged }, seen);
}

/** Closes the run in a server that records the names of models, and otherwise answers as an empty MLflow does. */
async function trackIn(
  run: ResolvedRun,
  result: { evaluated: Evaluated; packaged: Packaged },
  seen: Observation,
): Promise<void> {
  const registered: string[] = [];
  const archive = { path: `model/${basename(result.packaged.nemo.path)}` };
  const answering = { ...answers, '/artifacts/list': { files: [archive] } };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (request.url?.endsWith('/registered-models/create')) registered.push(body);
      const answer = Object.entries(answering).find(([path]) => request.url?.includes(path))?.[1] ?? {};
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await finishTracking({ run: { ...run, trackingUri: uri }, status: 'FINISHED', ...result }, uri);
  } finally {
    server.close();
  }
  seen['registered model'] = text(registered);
}

const info = {
  run_id: 'r',
  experiment_id: '1',
  artifact_uri: 'mlflow-artifacts:/1/r/artifacts',
  status: 'RUNNING',
  lifecycle_stage: 'active',
  start_time: 0,
  run_name: 'r',
  user_id: 'u',
};
const answers = {
  '/experiments/get-by-name': { experiment: { experiment_id: '1', lifecycle_stage: 'active' } },
  '/runs/search': { runs: [] },
  '/runs/create': { run: { info, data: {} } },
  '/runs/get': { run: { info, data: {} } },
  '/registered-models/create': { registered_model: { name: 'reviews' } },
  '/model-versions/search': { model_versions: [] },
  '/model-versions/create': { model_version: { name: 'reviews', version: '1', status: 'READY' } },
};

const text = (value: JsonValue): string => {
  const json = JSON.stringify(value);
  return json.length > 200 ? sha256Of(json) : json;
};

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
