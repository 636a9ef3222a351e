import { type GpuFacts, readGpuFacts, type ReadGpuFactsOptions } from './gpu-facts.js';
import { gpuProblems, visibleTokens } from './gpu-problems.js';
import { runNvidiaSmi } from './nvidia-smi.js';

/**
 * The GPUs that TensorFlow can use, as CUDA_VISIBLE_DEVICES names them, without loading TensorFlow: index i is GPU i of
 * `trainer.devices`. Empty when there is none, or when one of `gpuProblems` exists.
 */
export async function visibleGpus(options: ReadGpuFactsOptions = {}): Promise<string[]> {
  const facts = readGpuFacts(options);
  if (gpuProblems(facts).length > 0) return [];
  if (facts.visible !== undefined) return visibleTokens(facts.visible);
  const { cards } = await runNvidiaSmi(options);
  return cards.length > 0 ? cards.map(({ index }) => String(index)) : numberedFiles(facts);
}

/** A container may have the device files without nvidia-smi. */
const numberedFiles = ({ deviceFiles }: GpuFacts): string[] =>
  deviceFiles.flatMap(({ path }) => /nvidia(\d+)$/.exec(path)?.[1] ?? []).sort((a, b) => Number(a) - Number(b));
