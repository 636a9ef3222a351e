import type { ActivityDependencies } from '../create-activities.js';

/** What `createActivities` needs on a machine with one worker and no server: runs go on without MLflow, and none has a group. */
export const dependenciesOfOneWorker = (
  o: Pick<ActivityDependencies, 'outputs'> & Partial<ActivityDependencies>,
): ActivityDependencies => ({
  trackingUri: 'http://127.0.0.1:9', // nothing listens on this port
  workflowUrl: () => undefined,
  signalProgress: () => Promise.resolve(),
  stateFolderId: 'here',
  isPolled: () => Promise.resolve(true),
  trainings: 1,
  trainsHere: true,
  group: {
    reserveAddress: () => Promise.reject(new Error('no group here')),
    signalPlaced: () => Promise.resolve(),
    queryPlacement: () => Promise.resolve({}),
  },
  allowedEnv: [],
  ...o,
});
