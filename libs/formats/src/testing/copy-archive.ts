import type { NemoArchive } from '../nemo/read-nemo.js';
import { type NemoToWrite, writeNemo } from '../nemo/write-nemo.js';
import { withArchive } from './with-archive.js';

/** Copies NeMo's archive of a BERT as Nautil writes archives, with the parts replaced that `change` returns. */
export async function copyArchive(
  from: string,
  to: string,
  change: (content: NemoToWrite, archive: NemoArchive) => Partial<NemoToWrite>,
): Promise<void> {
  await withArchive(from, async (archive) => {
    const { config, tensors } = archive;
    const vocabulary = (await archive.artifact('tokenizer.vocab_file')) ?? new Uint8Array();
    const tokens = new TextDecoder().decode(vocabulary).trimEnd().split('\n');
    const content: NemoToWrite = {
      path: to,
      config,
      encoderConfig: (await archive.encoderConfig()).config,
      artifacts: [{ key: 'tokenizer.vocab_file', name: 'vocab.txt', content: vocabulary }],
      vocabulary: new Map(tokens.map((token, id) => [token, id])),
      tensors: tensors.names().map((name) => ({ name, ...tensors.info(name), data: () => tensors.read(name) })),
    };
    await writeNemo({ ...content, ...change(content, archive) });
  });
}
