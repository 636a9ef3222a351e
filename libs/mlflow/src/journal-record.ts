import type { RunStatus } from './entities.js';

/**
 * One line of a journal: everything that is needed to tell MLflow of it again, with the times of when it happened. Sent
 * twice, each leaves what it left the first time.
 */
export type JournalRecord = RunOpened | ParamsLogged | MetricsLogged | TagsSet | ArtifactLogged | TextLogged | RunEnded;

/** The run that the following records belong to: made, or found by its key and opened again. */
export interface RunOpened {
  type: 'open';

  /** Names the run in MLflow, by the tag {@link runKeyTag}. */
  key: string;

  experiment: string;
  runName: string;
  timestampMs: number;
  tags: Record<string, string>;
}

export interface ParamsLogged {
  type: 'params';
  params: Record<string, string>;
}

export interface MetricsLogged {
  type: 'metrics';

  /** Values that JSON lacks are the strings NaN, Infinity and -Infinity. */
  rows: [key: string, value: number | string, step: number, timestampMs: number][];
}

export interface TagsSet {
  type: 'tags';
  tags: Record<string, string>;
}

export interface ArtifactLogged {
  type: 'artifact';

  /** Absolute path of a file that stays; sent as it is at the time of sending. */
  file: string;

  path: string;
}

export interface TextLogged {
  type: 'text';
  path: string;
  content: string;
}

export interface RunEnded {
  type: 'end';
  status: Exclude<RunStatus, 'RUNNING' | 'SCHEDULED'>;
  timestampMs: number;
  message?: string;
}

/** The tag by which a run is found again: creating a run in MLflow is not idempotent. */
export const runKeyTag = 'nautil.run_key';
