import { type Command, InvalidArgumentError } from 'commander';

/** The options that say where the servers are, as `up`, `status` and `doctor` take them. */
export interface StackFlags {
  temporalPort?: number;
  temporalUiPort?: number;
  mlflowPort?: number;
}

export function addStackOptions(command: Command): Command {
  return command
    .option('--temporal-port <port>', "Temporal's port (default: NAUTIL_TEMPORAL_PORT, else 7233)", parsePort)
    .option(
      '--temporal-ui-port <port>',
      "port of Temporal's UI (default: NAUTIL_TEMPORAL_UI_PORT, else 8233)",
      parsePort,
    )
    .option('--mlflow-port <port>', "MLflow's port (default: NAUTIL_MLFLOW_PORT, else 5000)", parsePort);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError('A port is 1 to 65535.');
  return port;
}
