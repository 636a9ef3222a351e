import type { Config } from './schema/config-schema.js';

/** The name of the experiment, which names its folder, its checkpoints, and its experiment in MLflow. */
export const experimentName = ({ name }: Pick<Config['exp_manager'], 'name'>): string => name ?? 'default';
