import type { RunningProcess } from './start-process.js';

export interface ServerOptions {
  /** Takes the database and the log. */
  folder: string;

  /** Default: any free port. */
  port?: number;

  logFile?: string;

  /** How long to wait until it answers. */
  timeoutMs?: number;

  signal?: AbortSignal | undefined;

  /** True: the server lives on when this process ends; default false: it ends with it, kill -9 included. */
  outlivesParent?: boolean;

  /** Called as soon as the process runs, before it is ready; waited for. */
  onStarted?: (server: RunningProcess) => Promise<void>;
}

/** A server that answers. */
export interface ServerHandle extends RunningProcess {
  /** `host:port` of Temporal, the tracking URI of MLflow. */
  address: string;

  uiUrl: string;
  ready: true;
}
