/** One part of the set-up. */
export interface SetupStep {
  name: string;

  /** Disk space that the installation needs, temporary files included. */
  neededBytes: number;

  /** What is installed, in a few words; undefined when it is missing or incomplete. */
  done: () => string | undefined;

  /** What `make` would download, from where and to where, in lines; may write to `work`. */
  plan: (context: StepContext) => string[] | Promise<string[]>;
  make: (context: StepContext) => Promise<void>;
}

export interface StepContext {
  signal: AbortSignal;
  log: (line: string) => void;

  /** A temporary folder, which is removed afterwards. */
  work: string;
}

export interface InstallOptions {
  /** The state folder. */
  home: string;
  signal: AbortSignal;
  log: (line: string) => void;

  /** The Python for the virtual environment; default: NAUTIL_PYTHON, else the first suitable one on the PATH. */
  python?: string | undefined;

  /** Install the TensorFlow library with CUDA. */
  gpu?: boolean;

  /** List what would be installed, and change nothing. */
  dryRun?: boolean;

  /** Steps to run before the programs are installed. */
  before?: SetupStep[];
}

/** Installs the Python environment, the TensorFlow library and the default weights, skipping those that are already installed. */
export function installPrograms(options: InstallOptions): Promise<void>;

/** A failure that the user can act on. */
export class SetupError extends Error {
  readonly hint: string;
  readonly exitCode: number;
}
