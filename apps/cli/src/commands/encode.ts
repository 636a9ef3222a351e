import { Option, type Command } from 'commander';
import type { EncodeTextsOptions } from '../encode-texts.js';
import { examples } from '../program.js';
import { wholeNumber } from '../whole-number.js';

export function register(program: Command): void {
  program
    .command('encode')
    .summary('give the vector that an encoder has for each text')
    .description(
      'Gives each text’s token ids and the last hidden state of its first token, which is what a classifier reads of it. ' +
        'Needs no server.',
    )
    .requiredOption(
      '--model <path>',
      'an encoder: a folder, a file (safetensors, torch.save’s, Megatron-LM’s, .nemo), or the name of a model on this machine',
    )
    .requiredOption('--input <file>', 'one text a line (ended by \\n or \\r\\n); - is standard input')
    .addOption(
      new Option('--input-format <format>', 'tsv: a labelled file in NeMo’s layout')
        .choices(['text', 'tsv'])
        .default('text'),
    )
    .addOption(
      new Option('--format <format>', 'jsonl: text, input_ids, first_token').choices(['jsonl']).default('jsonl'),
    )
    .option('--tokenizer <folder>', 'the tokenizer’s files, where they don’t lie with the model')
    .option('--max-length <tokens>', 'cut texts to this length; default: what the model takes', wholeNumber)
    .option('--batch-size <rows>', 'texts computed at a time', wholeNumber, 32)
    .addHelpText(
      'after',
      `${examples(
        'encode --model all-MiniLM-L6-v2 --input reviews.txt > vectors.jsonl',
        'encode --model sst2.nemo --input - < reviews.txt',
        'encode --model megatron/model_optim_rng.pt --tokenizer bert-base-uncased --input reviews.txt',
      )}

One line is written for each text, in order, to standard output; everything else goes to standard error.`,
    )
    .action(async (options: EncodeTextsOptions) => {
      const { encodeTexts } = await import('../encode-texts.js');
      await encodeTexts(options);
    });
}
