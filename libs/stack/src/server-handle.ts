import type { RunningProcess } from './start-process.js';

export interface ServerOptions {
  /** Holds the database and the log. */
  folder: string;

  /** Default: any free port. */
  port?: number;

  logFile?: string;

  /** How long to wait for the first response. */
  timeoutMs?: number;

  signal?: AbortSignal | undefined;

  /** True: the server outlives this process. Default false: it ends with this process, even if that is killed with kill -9. */
  outlivesParent?: boolean;

  /** Called and awaited as soon as the process runs, before it is ready. */
  onStarted?: (server: RunningProcess) => Promise<void>;
}

/** A server that responds. */
export interface ServerHandle extends RunningProcess {
  /** `host:port` of Temporal, the tracking URI of MLflow. */
  address: string;

  uiUrl: string;
  ready: true;
}
