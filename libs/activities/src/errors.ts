import { defineError } from '@nautil/contracts';

/** The data that the configuration names is nowhere. */
export class SourceNotFound extends defineError('SourceNotFound', 'config') {}

/** A variable of the worker's environment holds what cannot be meant. */
export class EnvironmentInvalid extends defineError('EnvironmentInvalid', 'environment') {}

/** The worker is shutting down; what was done is in a checkpoint, and another worker goes on. */
export class WorkerShutdown extends defineError('WorkerShutdown', 'environment', { retryable: true }) {}

/** The workers that train have another state folder than those that prepare the run, and nothing to pass files through. */
export class FilesNotShared extends defineError('FilesNotShared', 'environment') {
  constructor(home: string, training?: string) {
    super(
      training === undefined
        ? `the workers that train share no files with those of state folder ${home}, which prepare this run`
        : `this worker (state folder ${training}) trains, and cannot get the files of a run of state folder ${home}`,
      {
        hint: [
          'set NAUTIL_ARTIFACTS for all workers to the same folder that they mount, or to an http address that takes PUT, such as',
          'http://MLFLOW/api/2.0/mlflow-artifacts/artifacts/nautil; or run them with the same NAUTIL_HOME; then `npx nautil resume` the run',
        ].join('\n'),
      },
    );
  }
}

/** A run was asked to go on, and its folder is not where it was. */
export class RunFolderMissing extends defineError('RunFolderMissing', 'environment') {
  constructor(folder: string) {
    super(`${folder} is missing: what the run was is not known any more`, {
      hint: 'it was removed (`nautil store gc`), or is with workers of another state folder; start the run anew with its overrides',
    });
  }
}
