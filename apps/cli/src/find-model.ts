import { modelPresets } from '@nautil/config';
import { FileUnavailable } from '@nautil/formats';
import { findEncoder } from '@nautil/formats/encoder';

/**
 * As `findEncoder`. The name of a preset, which only a configuration knows, is an error that names its model.
 *
 * @throws FileUnavailable
 */
export async function findModel(name: string): Promise<string> {
  try {
    return await findEncoder(name);
  } catch (error) {
    if (!(error instanceof FileUnavailable)) throw error;
    const preset = (await modelPresets()).find((one) => one.name === name);
    if (preset === undefined || preset.model === name) throw error;
    throw new FileUnavailable(name, 'this is a preset of a configuration, not a model', {
      hint: `name its model, ${preset.model}`,
      cause: error,
    });
  }
}
