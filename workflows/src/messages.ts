import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import {
  type ControlAnswer,
  memberSignal,
  pauseRequest,
  type Placement,
  placementQuery,
  type Progress,
  progressQuery,
  resumeRequest,
  stopEarlyRequest,
  type SweepProgress,
  trainingSignal,
} from '@nautil/contracts';

export const runProgress = defineQuery<Progress>(progressQuery);
export const sweepProgress = defineQuery<SweepProgress>(progressQuery);

/** An update returns an answer or is rejected; a signal of the same name gets no reply. */
export const pause = { update: defineUpdate<ControlAnswer>(pauseRequest), signal: defineSignal(pauseRequest) };
export const resume = { update: defineUpdate<ControlAnswer>(resumeRequest), signal: defineSignal(resumeRequest) };
export const stopEarly = {
  update: defineUpdate<ControlAnswer>(stopEarlyRequest),
  signal: defineSignal(stopEarlyRequest),
};

/** The train activity reports its progress. The payload is unknown, because anyone can send the signal. */
export const trainingProgress = defineSignal<[unknown]>(trainingSignal);

/** An activity of a group has a worker. The payload is unknown, because anyone can send the signal. */
export const memberPlaced = defineSignal<[unknown]>(memberSignal);
export const groupPlacement = defineQuery<Placement>(placementQuery);
