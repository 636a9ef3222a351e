import type { Static } from '@sinclair/typebox';
import { expManagerSchema } from './exp-manager.js';
import { anything, key, section } from './key.js';
import { modelSchema } from './model.js';
import { nautilSchema } from './nautil.js';
import { trainerSchema } from './trainer.js';

/** Every key of a configuration: the JSON Schema that checks it, explains it, documents it and fills it in. */
export const configSchema = section('The configuration of a run.', {
  trainer: trainerSchema,
  model: modelSchema,
  exp_manager: expManagerSchema,
  nautil: nautilSchema,
  hydra: key(anything, {
    description: "Hydra's own settings.",
    default: null,
    affectsResult: false,
    noEffect: 'Hydra is not run here',
  }),
});

/** A complete configuration: NeMo's names, every key there. */
export type Config = Static<typeof configSchema>;
