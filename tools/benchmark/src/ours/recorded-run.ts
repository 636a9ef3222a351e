import { type Static, Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';

const payload = Type.Object({
  metadata: Type.Optional(Type.Object({ encoding: Type.Optional(Type.String()) })),
  data: Type.Optional(Type.String()),
});
const payloads = Type.Object({ payloads: Type.Optional(Type.Array(payload)) });

/** The parts of Temporal's JSON histories that are read here. */
const parseHistoryJson = jsonParser(
  Type.Object({
    events: Type.Array(
      Type.Object({
        eventId: Type.String(),
        eventTime: Type.String(),
        workflowTaskStartedEventAttributes: Type.Optional(Type.Object({ scheduledEventId: Type.String() })),
        activityTaskScheduledEventAttributes: Type.Optional(
          Type.Object({ activityType: Type.Object({ name: Type.String() }) }),
        ),
        activityTaskCompletedEventAttributes: Type.Optional(
          Type.Object({ scheduledEventId: Type.String(), result: Type.Optional(payloads) }),
        ),
        workflowExecutionSignaledEventAttributes: Type.Optional(
          Type.Object({ signalName: Type.String(), input: Type.Optional(payloads) }),
        ),
      }),
    ),
  }),
);

/** What the history of a run tells of it. */
export interface RecordedRun {
  events: number;

  /** The results of its activities, by their names. */
  outputs: Map<string, unknown>;

  /** The values that were sent with its signals, in order. */
  signals: { name: string; value: unknown }[];

  /** Milliseconds between the scheduling and the start of each workflow task: how long it waited for a worker. */
  taskWaits: number[];
}

/** Parses the history of a run in Temporal's JSON, as `temporal workflow show --output json` prints it. */
export function parseRecordedRun(json: string): RecordedRun {
  const { events } = parseHistoryJson(json, 'the history');
  const byId = new Map(events.map((event) => [event.eventId, event]));
  const run: RecordedRun = { events: events.length, outputs: new Map(), signals: [], taskWaits: [] };
  for (const event of events) {
    const started = event.workflowTaskStartedEventAttributes;
    const completed = event.activityTaskCompletedEventAttributes;
    const signaled = event.workflowExecutionSignaledEventAttributes;
    if (started) {
      const scheduledAt = Date.parse(byId.get(started.scheduledEventId)?.eventTime ?? '');
      run.taskWaits.push(Date.parse(event.eventTime) - scheduledAt);
    }
    if (completed) {
      const scheduled = byId.get(completed.scheduledEventId)?.activityTaskScheduledEventAttributes;
      if (scheduled) run.outputs.set(scheduled.activityType.name, firstValue(completed.result));
    }
    if (signaled) run.signals.push({ name: signaled.signalName, value: firstValue(signaled.input) });
  }
  return run;
}

/** Undefined for an activity without a result. */
function firstValue(list: Static<typeof payloads> | undefined): unknown {
  const [first] = list?.payloads ?? [];
  if (first?.data === undefined) return undefined;
  return JSON.parse(Buffer.from(first.data, 'base64').toString('utf8')) as unknown;
}
