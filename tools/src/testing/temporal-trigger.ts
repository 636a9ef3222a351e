import { type Static, Type } from '@sinclair/typebox';

const whole = Type.String({ pattern: '^\\d+$' });
const flag = Type.Union([Type.Literal('true'), Type.Literal('false')]);
const text = Type.String({ minLength: 1 });

/** The values in KEDA's manifests are strings. Names of task queues and versions that go into a query have no other characters. */
const queried = Type.String({ pattern: '^[a-zA-Z0-9\\-_./:]+$' });

/** Settings of KEDA's Temporal scaler (https://keda.sh/docs/2.22/scalers/temporal/). The schema of a ScaledObject allows any. */
export const temporalTrigger = Type.Object(
  {
    endpoint: Type.String({ pattern: '^[^:/]+:\\d+$' }),
    namespace: text,
    taskQueue: text,
    queueTypes: Type.Optional(Type.String({ pattern: '^(workflow|activity|nexus)(,(workflow|activity|nexus))*$' })),
    targetQueueSize: whole,
    activationTargetQueueSize: Type.Optional(whole),
    workerDeploymentName: Type.Optional(queried),
    workerDeploymentBuildId: Type.Optional(queried),
    includeRunningWorkflowCount: Type.Optional(flag),
    workflowTaskQueueForCount: Type.Optional(queried),
    minConnectTimeout: Type.Optional(whole),
    enableTLS: Type.Optional(flag),
    unsafeSsl: Type.Optional(flag),
    tlsServerName: Type.Optional(text),
  },
  { additionalProperties: false },
);
export type TemporalTrigger = Static<typeof temporalTrigger>;

/** Parameters of a TriggerAuthentication that the scaler reads. */
export const temporalParameters = ['apiKey', 'cert', 'key', 'keyPassword', 'ca'];
