import { defineError } from '@nautil/contracts';
import { environmentVariable } from '@nautil/store';
import { liveProcess, readRecord, type StackPorts } from './stack-record.js';
import { configuredConnection, plainConnection, type TemporalConnection } from './temporal-connection.js';

/** Where the parts of the stack run. What is not set comes from the environment, then from the running stack or the last
 * start, then from the defaults. */
export interface StackSettings {
  /** NAUTIL_TEMPORAL_PORT; default: that of the last start in this state folder, else 7233. */
  temporalPort?: number;

  /** NAUTIL_TEMPORAL_UI_PORT; default: that of the last start, else 8233. */
  temporalUiPort?: number;

  /** NAUTIL_MLFLOW_PORT; default: that of the last start, else 5000. */
  mlflowPort?: number;

  /** NAUTIL_TEMPORAL_ADDRESS (`host:port`): a server without TLS that Nautil does not manage. */
  temporalAddress?: string;

  /** MLFLOW_TRACKING_URI (http or https): a server that Nautil does not manage. */
  mlflowTrackingUri?: string;
}

/** A setting of the stack is invalid. */
export class StackSettingError extends defineError('StackSettingError', 'usage') {}

export interface ResolvedSettings {
  temporalPort: number;
  temporalUiPort: number;
  mlflowPort: number;

  /** A server that Nautil does not manage. */
  temporal?: TemporalConnection | undefined;
  mlflowTrackingUri?: string | undefined;

  /** Whether the port was chosen by the user rather than being the default. */
  chosen: { temporal: boolean; temporalUi: boolean; mlflow: boolean };
}

const defaultPorts: StackPorts = { temporal: 7233, temporalUi: 8233, mlflow: 5000 };

export function resolveSettings(settings: StackSettings): ResolvedSettings {
  const mlflowTrackingUri = settings.mlflowTrackingUri ?? environmentVariable('MLFLOW_TRACKING_URI');
  if (mlflowTrackingUri !== undefined && !/^https?:\/\//.test(mlflowTrackingUri)) {
    throw new StackSettingError(`MLflow's tracking URI ${mlflowTrackingUri} is not an http or https address`, {
      hint: mlflowTrackingUri.startsWith('databricks')
        ? 'Databricks is not supported, because only its own client reaches its artifacts: set MLFLOW_TRACKING_URI to the address of an MLflow server that stores artifacts itself (`mlflow server --artifacts-destination`), or unset it to start a local server'
        : 'Nautil needs a tracking server: set MLFLOW_TRACKING_URI to its address, or unset it to start a local server',
    });
  }
  if (mlflowTrackingUri !== undefined && !URL.canParse(mlflowTrackingUri)) {
    throw new StackSettingError(`MLflow's tracking URI ${mlflowTrackingUri} is not a valid address`, {
      hint: 'set MLFLOW_TRACKING_URI to an address such as http://mlflow.example.com:5000, or unset it to start a local server',
    });
  }
  const temporalPort = settings.temporalPort ?? portFrom('NAUTIL_TEMPORAL_PORT');
  const temporalUiPort = settings.temporalUiPort ?? portFrom('NAUTIL_TEMPORAL_UI_PORT');
  const mlflowPort = settings.mlflowPort ?? portFrom('NAUTIL_MLFLOW_PORT');
  const ports = readRecord().ports ?? defaultPorts;
  const temporalAddress = settings.temporalAddress ?? environmentVariable('NAUTIL_TEMPORAL_ADDRESS');
  return {
    temporalPort: temporalPort ?? ports.temporal,
    temporalUiPort: temporalUiPort ?? ports.temporalUi,
    mlflowPort: mlflowPort ?? ports.mlflow,
    temporal:
      temporalAddress === undefined
        ? elsewhere(configuredConnection(), temporalPort ?? ports.temporal)
        : plainConnection(temporalAddress, 'NAUTIL_TEMPORAL_ADDRESS'),
    mlflowTrackingUri,
    chosen: {
      temporal: temporalPort !== undefined,
      temporalUi: temporalUiPort !== undefined,
      mlflow: mlflowPort !== undefined,
    },
  };
}

/** Undefined for the address of the server that Nautil itself starts, which users name for the Temporal CLI. */
function elsewhere(connection: TemporalConnection | undefined, port: number): TemporalConnection | undefined {
  const started = liveProcess(readRecord(), 'temporal')?.address ?? `127.0.0.1:${port}`;
  const address = connection?.address.replace(/^localhost:/, '127.0.0.1:');
  return address === started ? undefined : connection;
}

function portFrom(name: string): number | undefined {
  const text = environmentVariable(name);
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StackSettingError(`${name}=${text} is not a valid port`, {
      hint: 'a port is a whole number from 1 to 65535',
    });
  }
  return port;
}

export interface StackAddresses {
  temporal: TemporalConnection;

  /** Undefined for a server elsewhere, unless it is in Temporal Cloud, or NAUTIL_TEMPORAL_UI_URL names its UI. */
  temporalUiUrl: string | undefined;

  mlflowTrackingUri: string;
}

/**
 * Where programs find Temporal and MLflow: as the options or the environment say, or else where they run on this machine, or
 * else at the default ports. It does not check whether they respond.
 */
export function stackAddresses(settings: StackSettings = {}): StackAddresses {
  const resolved = resolveSettings(settings);
  const record = readRecord();
  const temporal = resolved.chosen.temporal ? undefined : liveProcess(record, 'temporal');
  const mlflow = resolved.chosen.mlflow ? undefined : liveProcess(record, 'mlflow');
  const uiUrl = resolved.chosen.temporalUi ? undefined : temporal?.uiUrl;
  const localUi = uiUrl ?? `http://127.0.0.1:${resolved.temporalUiPort}`;
  return {
    temporal: resolved.temporal ?? plainConnection(temporal?.address ?? `127.0.0.1:${resolved.temporalPort}`),
    temporalUiUrl: resolved.temporal === undefined ? localUi : uiOf(resolved.temporal),
    mlflowTrackingUri: resolved.mlflowTrackingUri ?? mlflow?.address ?? `http://127.0.0.1:${resolved.mlflowPort}`,
  };
}

const cloudUi = 'https://cloud.temporal.io';

/** Temporal Cloud's endpoints: https://docs.temporal.io/cloud/namespaces#access-namespaces. */
const isCloud = ({ address }: TemporalConnection): boolean =>
  /\.(tmprl\.cloud|api\.temporal\.io)(:\d+)?$/.test(address);

const uiOf = (connection: TemporalConnection): string | undefined =>
  environmentVariable('NAUTIL_TEMPORAL_UI_URL') ?? (isCloud(connection) ? cloudUi : undefined);
