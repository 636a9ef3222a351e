import { type Command, Option } from 'commander';
import { addTextColumnOption } from '../column-options.js';
import type { EncodeTextsOptions } from '../encode-texts.js';
import { addInputOptions, examples } from '../help.js';
import { positiveInteger } from '../option-values.js';

export function addEncode(program: Command): void {
  const command = program
    .command('encode')
    .summary('compute the vector of each text with an encoder')
    .description(
      'Prints each text’s token ids and the last hidden state of its first token, which is the input of a classifier head. ' +
        'Needs no server.',
    )
    .requiredOption(
      '--model <path>',
      'an encoder: a folder, a file (safetensors, torch.save’s, Megatron-LM’s, .nemo), or the name of a model on this machine',
    );
  addTextColumnOption(addInputOptions(command))
    .addOption(
      new Option('--format <format>', 'jsonl: text, input_ids, first_token').choices(['jsonl']).default('jsonl'),
    )
    .option(
      '--tokenizer <folder>',
      'the folder of the tokenizer’s files, or the name of a model on this machine (default: the model’s own)',
    )
    .option('--max-length <tokens>', 'truncate texts to this length (default: the model’s maximum)', positiveInteger)
    .option('--batch-size <rows>', 'texts per batch', positiveInteger, 32)
    .addHelpText(
      'after',
      `${examples(
        'encode --model all-MiniLM-L6-v2 --input reviews.txt > vectors.jsonl',
        'encode --model all-MiniLM-L6-v2 --input reviews.csv --text-column review > vectors.jsonl',
        'encode --model sst2.nemo --input - < reviews.txt',
        'encode --model megatron/model_optim_rng.pt --tokenizer bert-base-uncased --input reviews.txt',
      )}

Writes one line per text, in order, to standard output; everything else goes to standard error.`,
    )
    .action(async (options: EncodeTextsOptions) => {
      const { encodeTexts } = await import('../encode-texts.js');
      await encodeTexts(options);
    });
}
