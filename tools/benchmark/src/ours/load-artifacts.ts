/**
 * Loads an artifact store with checkpoints of several trainings at a time, through the client of the workers: a folder, and MLflow's
 * server as `nautil up` starts it, which passes files on to its folder.
 */
import { randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type FileRef, largest } from '@nautil/contracts';
import { createExperiment, createRun, logBatch, MlflowClient } from '@nautil/mlflow';
import { startMlflowServer } from '@nautil/stack';
import { type ArtifactStore, fileRef, openArtifactStore, Store } from '@nautil/store';
import { printSideOutput } from '../side-output.js';
import { closedLoop, figuresOf, increaseLoad } from './closed-loop.js';
import { withTemporaryFolder } from './timed-training.js';

const { values: o } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });

/** A checkpoint of MiniLM-L6: its weights and two moments of Adam. */
const checkpointBytes = o.quick ? 27e6 : 270e6;
const writerCounts = o.quick ? [1, 2] : [1, 2, 4];
const name = 'checkpoint.safetensors';

/** Writes files of random bytes, each with another beginning. */
async function writeCheckpoints(folder: string, count: number): Promise<FileRef[]> {
  const body = randomBytes(checkpointBytes);
  const files: FileRef[] = [];
  for (let number = 0; number < count; number++) {
    const path = join(folder, `checkpoint-${number}`);
    randomBytes(16).copy(body);
    const file = await open(path, 'w');
    await file.writeFile(body);
    await file.close();
    files.push(await fileRef(path));
  }
  return files;
}

/** Megabytes per second of all writers together, and then of all readers. */
async function measure(store: ArtifactStore, writers: number, folder: string) {
  const files = await writeCheckpoints(folder, writers);
  const megabytes = (writers * checkpointBytes) / 1e6;
  const rate = async (work: (file: FileRef, number: number) => Promise<unknown>): Promise<number> => {
    const startedAt = performance.now();
    await Promise.all(files.map(work));
    return megabytes / ((performance.now() - startedAt) / 1000);
  };
  const put = await rate((file) => store.put(file));
  const get = await rate((file, number) => store.get(file, new Store(join(folder, `reader-${number}`)), name));
  for (const { path } of files) await rm(path);
  for (const [number] of files.entries()) await rm(join(folder, `reader-${number}`), { recursive: true });
  return { writers, put, get, waits: checkpointBytes / 1e6 / (put / writers) };
}

const rates = await withTemporaryFolder(async (folder) => {
  const root = join(folder, 'shared');
  const store = openArtifactStore(root);
  if (store === undefined) throw new Error('there is no artifact store');
  const always = (): boolean => false;
  const folderRates = await increaseLoad(writerCounts, (writers) => measure(store, writers, folder), always);
  await rm(root, { recursive: true });

  const server = await startMlflowServer({ folder: join(folder, 'mlflow') });
  try {
    const proxy = openArtifactStore(`${server.address}/api/2.0/mlflow-artifacts/artifacts/nautil`);
    if (proxy === undefined) throw new Error('there is no artifact store');
    const client = new MlflowClient({ trackingUri: server.address });
    const { info } = await createRun(client, { experimentId: await createExperiment(client, 'load') });
    const logOne = () =>
      logBatch(client, info.runId, { metrics: [{ key: 'loss', value: 1, step: 1, timestampMs: Date.now() }] });
    const measureProxy = async (writers: number) => {
      const end = new AbortController();
      // What other runs notice: a request of theirs waits for the same server.
      const longestWait = (async () => {
        let longest = 0;
        while (!end.signal.aborted) {
          const { latencies } = await closedLoop({ callers: 1, seconds: 0.2, work: logOne });
          longest = Math.max(longest, largest(latencies));
        }
        return longest;
      })();
      const measured = await measure(proxy, writers, folder).finally(() => end.abort());
      return { ...measured, others: await longestWait };
    };
    const httpRates = await increaseLoad(writerCounts, measureProxy, always);
    return { ...figuresOf('folder', folderRates), ...figuresOf('http', httpRates) };
  } finally {
    await server.stop();
  }
});
printSideOutput({
  figures: rates,
  notes: ['Readers find the files in the page cache', 'One process has all writers and readers'],
});
