import type { Command } from 'commander';
import { addHydraCommand } from '../trainer/hydra-command.js';

export function addInfer(program: Command): void {
  addHydraCommand(program, {
    name: 'infer',
    summary: 'classify the texts in model.infer_samples, as NeMo’s script does',
    description:
      'Classifies the texts in model.infer_samples with model.nemo_path, and prints them with their labels as NeMo’s script does, and with ' +
      'the probabilities. Needs no server.',
    examples: ['infer model.nemo_path=sst2.nemo \'model.infer_samples=["a text","another"]\''],
    notes:
      '`nautil predict` reads files. In a checkout, `npx nx run trainer:predict -- …` does the same as this command.',
    run: async (args, { cwd }) => {
      const { inferSamples } = await import('../trainer/infer-samples.js');
      await inferSamples(args, { cwd });
    },
  });
}
