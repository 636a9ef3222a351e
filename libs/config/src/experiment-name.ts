import type { Config } from './schema/config-schema.js';

/** Name of the experiment: of its folder, of its checkpoints, and of its experiment in MLflow. */
export const experimentName = ({ name }: Pick<Config['exp_manager'], 'name'>): string => name ?? 'default';
