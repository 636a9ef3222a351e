import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { openTensors } from '@nautil/formats';
import type { NamedArray } from '@nautil/model';
import { claimFence } from '@nautil/store';
import { TrainingCheckpoints } from '../training-checkpoints.js';
import type { BestEvaluation } from '../training-state.js';

const digests = { config: 'c', data: 'd' };
const steps = [3, 6, 9, 12];
const bestSteps = [3, 9];

const tensorsAt = (step: number): NamedArray[] => [
  { name: 'bert_model.embeddings', shape: [300, 4], data: Float32Array.from({ length: 1200 }, (_, i) => step + i / 7) },
  { name: 'classifier.bias', shape: [2], data: Float32Array.of(step, -step) },
  { name: 'optimizer/exp_avg/classifier.bias', shape: [2], data: Float32Array.of(0.1 * step, 0.2) },
];
const weightsAt = (step: number): NamedArray[] => tensorsAt(step).slice(0, 2);

/** Saves checkpoints, of which two belong to new best evaluations, and the last weights. Marks each as saving and saved. */
export async function writeCheckpoints(folder: string, mark: (text: string) => void): Promise<void> {
  const training = join(folder, 'runs', 'drill', 'training');
  const checkpoints = new TrainingCheckpoints(training, digests, await claimFence(training));
  let best: BestEvaluation | undefined;
  for (const step of steps) {
    mark(`saving ${step}`);
    if (bestSteps.includes(step)) {
      best = { monitor: 'val_loss', value: 1 / step, step, sha256: await checkpoints.saveBest(step, weightsAt(step)) };
    }
    const { warnings } = await checkpoints.save(
      { step, microBatches: 1, events: [], ...(best && { best }) },
      tensorsAt(step),
    );
    if (warnings.length > 0) throw new Error(warnings.join('; '));
    mark(`saved ${step}`);
  }
  await checkpoints.saveLast(weightsAt(12));
  mark('saved last');
}

const stepIn = (marks: readonly string[], what: string): number =>
  Math.max(0, ...marks.map((text) => Number(new RegExp(`^${what} (\\d+)$`).exec(text)?.[1] ?? 0)));

/** The newest checkpoint must be the last that was saved, or the one that was being saved, with all its tensors. */
export async function checkCheckpoints(folder: string, marks: readonly string[]): Promise<string> {
  const checkpoints = new TrainingCheckpoints(join(folder, 'runs', 'drill', 'training'), digests);
  const tensors = new Map<string, Float32Array | undefined>();
  const warnings: string[] = [];
  const saved = await checkpoints.latest({
    load: async ({ readWeight, readSlot }) => {
      for (const { name } of tensorsAt(0))
        tensors.set(name, await (name.startsWith('optimizer/') ? readSlot(name) : readWeight(name)));
    },
    onWarning: (message) => warnings.push(message),
    needsBest: true,
  });
  if (warnings.length > 0) throw new Error(warnings.join('; '));
  const step = saved?.state.step ?? 0;
  const [old, newer] = [stepIn(marks, 'saved'), stepIn(marks, 'saving')];
  if (step !== old && step !== newer) throw new Error(`step ${step} is loaded; ${old} was saved, ${newer} being saved`);
  if (marks.includes('saved last')) await requireWeights(checkpoints.lastWeights, 12);
  if (!saved) return 'none yet';
  for (const { name, data } of tensorsAt(step))
    if (!isDeepStrictEqual(tensors.get(name), data)) throw new Error(`${name} of step ${step} has other values`);
  const best = bestSteps.findLast((candidate) => candidate <= step);
  if (saved.state.best?.step !== best) throw new Error(`the best step is ${saved.state.best?.step}`);
  if (best !== undefined) await requireWeights(checkpoints.bestWeights(best), best);
  return old === newer ? 'saved' : step === old ? 'old' : 'new';
}

async function requireWeights(path: string, step: number): Promise<void> {
  const source = await openTensors(path);
  try {
    for (const { name, data } of weightsAt(step))
      if (!isDeepStrictEqual(await source.readFloat32(name), data))
        throw new Error(`${path}: ${name} has other values`);
  } finally {
    await source.close();
  }
}
