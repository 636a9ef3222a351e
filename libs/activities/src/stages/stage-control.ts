/** Cancels a stage and receives its progress. */
export interface StageControl {
  signal?: AbortSignal;

  /** Called at intervals during a long stage, with one line for users. */
  onProgress?: (detail: string) => void;
}
