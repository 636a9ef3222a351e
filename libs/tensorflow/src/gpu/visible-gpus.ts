import { type GpuFacts, readGpuFacts, type ReadGpuFactsOptions } from './gpu-facts.js';
import { canonicalName, identifyGpus, readIdentities } from './gpu-identity.js';
import { gpuProblems, visibleTokens } from './gpu-problems.js';
import { listIdentities } from './nvidia-smi.js';

/**
 * The GPUs that TensorFlow can use, without loading TensorFlow: index i is GPU i of `trainer.devices`. Each has one name, however
 * CUDA_VISIBLE_DEVICES names it: its UUID, or its number where neither nvidia-smi nor the driver lists UUIDs. Numbers are those of
 * nvidia-smi. Empty when there is no GPU, or when one of `gpuProblems` exists.
 */
export async function visibleGpus(options: ReadGpuFactsOptions = {}): Promise<string[]> {
  const facts = readGpuFacts(options);
  if (gpuProblems(facts).length > 0) return [];
  const tokens = facts.visible === undefined ? undefined : visibleTokens(facts.visible);
  const listed = await listIdentities(options);
  const gpus = listed.length > 0 ? listed : readIdentities(options.root ?? '/');
  if (gpus.length === 0) return tokens ?? numberedFiles(facts);
  return tokens === undefined ? gpus.map(canonicalName) : identifyGpus(tokens, gpus);
}

/** A container may have the device files without nvidia-smi. */
const numberedFiles = ({ deviceFiles }: GpuFacts): string[] =>
  deviceFiles.flatMap(({ path }) => /nvidia(\d+)$/.exec(path)?.[1] ?? []).sort((a, b) => Number(a) - Number(b));
