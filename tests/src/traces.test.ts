import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePort } from '@nautil/store/process';
import { nautil } from './testing/drill.js';
import { end, LocalStack, tinyRun } from './testing/local-stack.js';
import { type Span, TraceCollector } from './testing/trace-collector.js';

let stack: LocalStack;
let collector: TraceCollector;
beforeAll(async () => {
  collector = await TraceCollector.start();
  stack = await LocalStack.start({ mlflow: false });
}, 240_000);
afterAll(async () => {
  await stack.stop();
  await collector.close();
});

/** Spans are sent only when a program ends: its last ones are not lost. */
const onlyAtTheEnd = { OTEL_BSP_SCHEDULE_DELAY: '3600000' };

const named = (name: string): Span[] => collector.spans.filter((span) => span.name === name);
const parentOf = ({ parentSpanId }: Span): Span | undefined =>
  collector.spans.find(({ spanId }) => spanId === parentSpanId);

/** The names of a span and of those above it. */
const ancestry = (span: Span | undefined): string[] =>
  span === undefined ? [] : [span.name, ...ancestry(parentOf(span))];

test('a run is one trace: the command that starts it, the workflow, and each of its activities', async () => {
  const worker = await stack.startWorker({
    env: {
      ...onlyAtTheEnd,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpAddress,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20a-key',
      OTEL_SERVICE_NAME: 'training',
      OTEL_METRICS_EXPORTER: 'none',
    },
  });
  const { exitCode, stderr } = await nautil(
    stack,
    ['run', '--workflow-id', 'traced', ...tinyRun, 'trainer.max_steps=2'],
    {
      ...onlyAtTheEnd,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collector.grpcAddress,
    },
  );
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.anything() });
  await end(worker, 'SIGTERM');

  const start = named('StartWorkflow:textClassification');
  expect(start).toEqual([expect.objectContaining({ parentSpanId: '', service: 'nautil' })]);
  const [workflow, ...others] = named('RunWorkflow:textClassification');
  expect(others).toEqual([]);
  expect(ancestry(workflow)).toEqual(['RunWorkflow:textClassification', 'StartWorkflow:textClassification']);
  expect(workflow).toMatchObject({ service: 'training', headers: { authorization: 'Bearer a-key' } });

  const { events } = await stack.client.workflow.getHandle('traced').fetchHistory();
  const scheduled = (events ?? []).flatMap(
    ({ activityTaskScheduledEventAttributes: attributes }) => attributes?.activityType?.name ?? [],
  );
  expect(scheduled.length).toBeGreaterThan(5);
  const activities = collector.spans.filter(({ name }) => name.startsWith('RunActivity:'));
  expect(activities.map(({ name }) => name).sort()).toEqual(scheduled.map((type) => `RunActivity:${type}`).sort());
  for (const activity of activities)
    expect(ancestry(activity)).toEqual([
      activity.name,
      activity.name.replace('Run', 'Start'),
      'RunWorkflow:textClassification',
      'StartWorkflow:textClassification',
    ]);
  expect(new Set(collector.spans.map(({ traceId }) => traceId)).size).toBe(1);
}, 240_000);

test('a collector that is down costs a run nothing but its traces, and is named', async () => {
  const nobody = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${await freePort()}` };
  const args = ['run', '--workflow-id', 'untraced', '--task-queue', 'down', ...tinyRun, 'trainer.max_steps=2'];
  await stack.startWorker({ args: ['--task-queue', 'down'] });
  const { exitCode, stderr } = await nautil(stack, args, nobody);
  expect(exitCode).toBe(0);
  expect(stderr).toContain(`traces cannot be sent to ${nobody.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT}`);
}, 240_000);

test('settings that cannot be followed are an error before anything starts', async () => {
  const { exitCode, stderr } = await nautil(stack, ['run', ...tinyRun], { OTEL_TRACES_EXPORTER: 'zipkin' });
  expect(stderr).toContain('OTEL_TRACES_EXPORTER=zipkin is not supported');
  expect(exitCode).toBe(2);
}, 30_000);
