import type { Command } from 'commander';
import { portNumber } from './option-values.js';

/** The addresses of the servers, as options of `up`, `status` and `doctor`. */
export interface StackFlags {
  temporalPort?: number;
  temporalUiPort?: number;
  mlflowPort?: number;
}

export function addStackOptions(command: Command): Command {
  return command
    .option(
      '--temporal-port <port>',
      "Temporal's port (default: NAUTIL_TEMPORAL_PORT, else that of the last `nautil up`, else 7233)",
      portNumber,
    )
    .option(
      '--temporal-ui-port <port>',
      "port of Temporal's UI (default: NAUTIL_TEMPORAL_UI_PORT, else that of the last `nautil up`, else 8233)",
      portNumber,
    )
    .option(
      '--mlflow-port <port>',
      "MLflow's port (default: NAUTIL_MLFLOW_PORT, else that of the last `nautil up`, else 5000)",
      portNumber,
    );
}
