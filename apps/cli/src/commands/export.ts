import { type Command, Option } from 'commander';
import { UsageError } from '@nautil/contracts';
import type { ExportFormat } from '@nautil/training/export-model';
import { examples, forceOption } from '../help.js';
import { printMessage, printResult } from '../output.js';

interface ExportFlags {
  model: string;
  format: ExportFormat;
  output: string;
  tokenizer?: string;
  force?: true;
  int8?: true;
  python?: string;
}

export function addExport(program: Command): void {
  program
    .command('export')
    .summary('write a model in a format that other programs load')
    .description(
      'Writes a .nemo archive in another format, with the same logits, after the checks of nautil verify. What a format cannot express exactly is an ' +
        'error that names it. Needs no server.',
    )
    .requiredOption('--model <file>', 'a .nemo archive, of Nautil or of NeMo, or a checkpoint in the folder of its run')
    .addOption(
      new Option(
        '--format <format>',
        'hf: a folder for transformers and transformers.js with weights, tokenizer, labels and model card; onnx: the model for onnxruntime and others, with the inputs of NeMo’s export; safetensors: the weights under NeMo’s names; nemo: an archive as Nautil writes it',
      )
        .choices(['hf', 'onnx', 'safetensors', 'nemo'])
        .makeOptionMandatory(),
    )
    .requiredOption('--output <path>', 'the file to write; for hf, the folder')
    .addOption(forceOption())
    .option(
      '--int8',
      'round the weights of onnx to int8 with onnxruntime’s own tools, which need Python with onnxruntime and onnx',
    )
    .option('--python <program>', 'the Python for --int8 (default: python3)')
    .option('--tokenizer <folder>', 'tokenizer files for an archive that lacks some (RoBERTa’s merges)')
    .addHelpText(
      'after',
      `${examples(
        'export --model sst2.nemo --format hf --output sst2',
        'export --model sst2.nemo --format onnx --output sst2.onnx',
        'export --model sst2.nemo --format onnx --int8 --output sst2-int8.onnx',
        'export --model sst2.nemo --format safetensors --output sst2.safetensors',
        'export --model from-nemo-1.4.nemo --format nemo --output for-nemo-1.23.nemo',
      )}

Prints the path of each file that it writes. docs/export.md states which models a format has, and how to load them.`,
    )
    .action(async ({ model, format, output, tokenizer, force, int8, python }: ExportFlags) => {
      if (int8 && format !== 'onnx')
        throw new UsageError(`--int8 is for --format onnx, and --format is ${format}`, {
          hint: 'leave --int8 out, or use --format onnx',
        });
      if (python === '') throw new UsageError('--python names no program', { hint: 'name a Python, or leave it out' });
      if (python !== undefined && !int8)
        throw new UsageError('--python is for --int8, which is not given', {
          hint: 'add --int8, or leave --python out',
        });
      const { exportModel } = await import('@nautil/training/export-model');
      const { files, notes } = await exportModel({
        model,
        format,
        output,
        force: force === true,
        tokenizerFolder: tokenizer,
        int8: int8 && { python: python ?? 'python3' },
      });
      for (const note of notes) printMessage(note);
      await printResult(files.join('\n'));
    });
}
