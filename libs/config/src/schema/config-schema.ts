import type { Static } from '@sinclair/typebox';
import { expManagerSchema } from './exp-manager.js';
import { ignored, section } from './key.js';
import { modelSchema } from './model.js';
import { nautilSchema } from './nautil.js';
import { trainerSchema } from './trainer.js';

/**
 * Every key of a configuration. This JSON Schema validates it, documents it, provides its defaults, and states what each key
 * affects.
 */
export const configSchema = section('The configuration of a run.', {
  trainer: trainerSchema,
  model: modelSchema,
  exp_manager: expManagerSchema,
  nautil: nautilSchema,
  hydra: ignored("Hydra's own settings.", null, 'Nautil composes configurations without Hydra'),
});

/** A configuration with the defaults filled in. */
export type Config = Static<typeof configSchema>;
