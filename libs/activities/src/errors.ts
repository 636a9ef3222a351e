import { defineError } from '@nautil/contracts';

/** The data in the configuration could not be found. */
export class SourceNotFound extends defineError('SourceNotFound', 'data') {}

/** An environment variable of the worker has an invalid value. */
export class EnvironmentInvalid extends defineError('EnvironmentInvalid', 'environment') {}

/** Variables that a run's configuration refers to have other values than when the run was resolved. */
export class EnvironmentChanged extends defineError('EnvironmentChanged', 'config') {
  constructor(names: readonly string[]) {
    super(`the environment variable ${names.join(', ')} has another value than when the run was resolved`, {
      hint: 'set it as it was for all workers, and resume the run; or start a new run',
    });
  }
}

/** The worker is shutting down. The activity is retried on another worker, and training resumes from its checkpoint. */
export class WorkerShutdown extends defineError('WorkerShutdown', 'environment', { retryable: true }) {}

/** The workers that train use another state folder than those that prepare the run, and there is no artifact store. */
export class FilesNotShared extends defineError('FilesNotShared', 'environment') {
  constructor(stateFolderId: string, trainingStateFolderId?: string) {
    super(
      trainingStateFolderId === undefined
        ? `the workers that train share no files with those of state folder ${stateFolderId}, which prepare this run`
        : `this worker (state folder ${trainingStateFolderId}) trains, and cannot get the files of a run of state folder ${stateFolderId}`,
      {
        hint: [
          'set NAUTIL_ARTIFACTS for all workers to the same mounted folder, or to an http address that accepts PUT, such as',
          'http://MLFLOW/api/2.0/mlflow-artifacts/artifacts/nautil; or run them with the same NAUTIL_HOME; then resume the run',
        ].join('\n'),
      },
    );
  }
}

/** A run was resumed, but its folder no longer exists. */
export class RunFolderMissing extends defineError('RunFolderMissing', 'environment') {
  constructor(folder: string) {
    super(`${folder} is missing, and with it the configuration of the run`, {
      hint: 'it was removed (`npx nautil store gc`), or belongs to workers with another state folder; start the run again with its overrides',
    });
  }
}

/** The group of this activity has been started again without it, because the workflow did not hear from it in time. */
export class GroupSuperseded extends defineError('GroupSuperseded', 'environment') {
  constructor() {
    super('the workflow has started the group again without this activity');
  }
}

/** Another address has been reported for the place of this activity. The next start of the group has a new token. */
export class PlaceTaken extends defineError('PlaceTaken', 'environment', { retryable: true }) {
  constructor(index: number, o: { own: string; reported: string | undefined }) {
    super(
      `this worker has the place of member ${index} at ${o.own}, but ${o.reported ?? 'nothing'} was reported for it`,
      {
        hint: 'another program has sent the signal `member` to the workflow: docs/security.md explains who can, and how NAUTIL_GROUP_SECRET keeps its address out',
      },
    );
  }
}

/** The address of a member has no signature, or a wrong one. */
export class MemberNotVerified extends defineError('MemberNotVerified', 'environment') {
  constructor(problems: readonly string[]) {
    super(`${problems.join('; ')}, or another program has reported the address`, {
      hint: 'set NAUTIL_GROUP_SECRET to the same value for all workers that train, with the same version of Nautil for all workers, restart them, and resume the run',
    });
  }
}

/** The trainer process of a group has stopped because another member was asked to stop. */
export class MemberStopped extends defineError('MemberStopped', 'interrupted', { retryable: true }) {
  constructor(index: number) {
    super(`member ${index} stopped at a checkpoint together with another member of its group`);
  }
}

/** A run of several processes was started as one process. */
export class GroupMissing extends defineError('GroupMissing', 'config') {
  constructor(nodes: number) {
    super(`trainer.num_nodes is ${nodes}, and this process knows of no other`, {
      hint: 'set trainer.num_nodes=1, or start a process for each node with nautil.group.members',
    });
  }
}
