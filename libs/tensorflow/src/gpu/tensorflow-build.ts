import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';

/** `cuda`: the one that can compute on NVIDIA's GPUs. */
export type TensorFlowBuild = 'cpu' | 'cuda';

/** What the set-up writes beside the library. */
const parseStamp = jsonParser(Type.Object({ requirement: Type.String() }));

/**
 * The build of a library that the set-up installed. A loaded library states it itself: see `openTensorFlow`.
 *
 * @param library - the path of libtensorflow_cc.so.2
 * @returns undefined for a library from elsewhere
 */
export function buildOf(library: string): TensorFlowBuild | undefined {
  const path = join(dirname(library), '.nautil-setup.json');
  if (!existsSync(path)) return undefined;
  try {
    const { requirement } = parseStamp(readFileSync(path, 'utf8'), path);
    return requirement.startsWith('tensorflow-cpu') ? 'cpu' : 'cuda';
  } catch {
    return undefined;
  }
}
