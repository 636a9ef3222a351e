import { openTensors, type TensorSource, writeSealedSafetensors } from '@nautil/formats';
import { OptimizerStateDropped } from './errors.js';
import { checkpointFormat, openCheckpoint } from './open-checkpoint.js';

const isOptimizerState = (name: string): boolean => name.startsWith('optimizer/');

/** The metadata entry of a checkpoint whose optimizer state was removed, and its value. */
const droppedKey = 'optimizer';
const dropped = 'dropped';

/**
 * Replaces a checkpoint atomically by one without the state of the optimizer, which for Adam is two thirds of it. The model in it can be
 * used; no training can continue from it.
 *
 * @returns false for a file without such state, and for one of Nautil 0.1.0 or another program, which stay as they are
 * @throws CorruptFile when the checkpoint is damaged
 */
export async function dropOptimizerState(path: string): Promise<boolean> {
  const { source, hasDigest } = await openCheckpoint(path);
  try {
    const names = source.names();
    if (!hasDigest || !names.some(isOptimizerState)) return false;
    const weights = names.filter((name) => !isOptimizerState(name));
    await writeSealedSafetensors(
      path,
      weights.map((name) => ({ name, ...source.info(name), data: () => source.read(name) })),
      { ...source.metadata, format: checkpointFormat, [droppedKey]: dropped },
    );
    return true;
  } finally {
    await source.close();
  }
}

/** @throws OptimizerStateDropped if no training can continue from the checkpoint */
export function requireOptimizerState({ metadata }: Pick<TensorSource, 'metadata'>, path: string): void {
  if (metadata[droppedKey] === dropped) throw new OptimizerStateDropped(path);
}

/** As `requireOptimizerState`, for a file. @throws what opening a file of tensors throws */
export async function requireResumable(path: string): Promise<void> {
  const source = await openTensors(path);
  await source.close();
  requireOptimizerState(source, path);
}
