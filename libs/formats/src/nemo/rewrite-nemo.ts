import { valueAt } from '@nautil/contracts';
import { readNemo } from './read-nemo.js';
import { type NemoArtifact, writeNemo } from './write-nemo.js';

/**
 * Writes an archive anew as `writeNemo` does: as a plain tar, with the encoder's configuration, and without the class weights of the loss,
 * which NeMo saves and then refuses to restore. Of an archive that Nautil wrote without them, the bytes stay as they are.
 *
 * @throws CorruptFile, FileUnavailable, UnsafePickle, UnsupportedFile; DiskFull
 */
export async function rewriteNemo(from: string, to: string): Promise<void> {
  const archive = await readNemo(from);
  try {
    const { config, tensors, record, artifactNames } = archive;
    const artifacts: NemoArtifact[] = [];
    for (const key of artifactNames) {
      const content = await archive.artifact(key);
      if (content) artifacts.push({ key, name: plainName(valueAt(config, key) as string), content });
    }
    const hasEncoderConfig = artifactNames.includes('language_model.config_file');
    await writeNemo({
      path: to,
      config,
      artifacts,
      tensors: tensors.names().map((name) => ({ name, ...tensors.info(name), data: () => tensors.read(name) })),
      ...(hasEncoderConfig ? {} : { encoderConfig: (await archive.encoderConfig()).config }),
      ...(record ? { record } : {}),
    });
  } finally {
    await archive.close();
  }
}

/** The name of an artifact's file without the digits that NeMo puts before it. */
const plainName = (reference: string): string => reference.replace(/^nemo:(?:[0-9a-f]{32}_)?/, '');
