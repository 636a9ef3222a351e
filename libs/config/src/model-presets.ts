import { type ConfigNode, select } from './config-node.js';
import { ConfigSearchPath, shippedFolder } from './config-search-path.js';

/** An encoder of `conf/model`. */
export interface ModelPreset {
  /** `model=NAME` chooses it. */
  name: string;

  /** Its name on the hub, or that of an installed model. */
  model: string;

  /** The learning rate for its size. */
  lr: number;
}

/** The presets whose weights are those of their model. The others need a checkpoint beside it. */
export async function modelPresets(): Promise<ModelPreset[]> {
  const search = new ConfigSearchPath([shippedFolder()], shippedFolder());
  const presets = search.options('model').map(async (name): Promise<ModelPreset | undefined> => {
    const { root } = await search.load(search.find(`model/${name}`) ?? '');
    const [model, lr, checkpoint] = [
      ['language_model', 'pretrained_model_name'],
      ['optim', 'lr'],
      ['language_model', 'lm_checkpoint'],
    ].map((path) => scalarAt(select(root, path)));
    return checkpoint === undefined ? { name, model: String(model), lr: Number(lr) } : undefined;
  });
  return (await Promise.all(presets)).filter((preset) => preset !== undefined);
}

const scalarAt = (node: ConfigNode | undefined): unknown => (node?.kind === 'scalar' ? node.value : undefined);
