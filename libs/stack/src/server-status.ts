import type { ServerName } from './stack-record.js';

/** One part of the stack, as `nautil status` shows it. */
export interface ServerStatus {
  name: ServerName;
  /**
   * failing: the process is alive but does not do its work, or has failed too often to be started again. unreachable: the server's
   * address is a setting, and none responds there; whether it is running is not known.
   */
  state: 'running' | 'starting' | 'failing' | 'stopped' | 'unreachable';

  /** Why it is not running, and what to do. */
  problem?: string;

  /** True when Nautil started it, so that `nautil down` stops it. */
  ours: boolean;

  /** `host:port` of Temporal, tracking URI of MLflow, task queue of the worker. */
  address: string;

  uiUrl?: string | undefined;
  pid?: number;
  logFile?: string;
  since?: string;
}
