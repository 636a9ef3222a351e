/** Cancels a stage and receives its progress. */
export interface StageControl {
  signal?: AbortSignal;

  /** Called at intervals during a long stage, with one line for users. */
  onProgress?: (detail: string) => void;
}

/** As `StageControl`, for what may be downloaded. */
export interface DownloadControl extends StageControl {
  /** Throws NotDownloaded instead of downloading. Default false. */
  cachedOnly?: boolean;
}
