import { Client, Connection } from '@temporalio/client';
import { TemporalUnreachable } from '@nautil/contracts';
import { type TemporalConnection, temporalProblem } from '@nautil/stack';
import { openTracing } from './tracing.js';

/** Connects to a Temporal server. The caller closes the connection. */
export async function connectToTemporal(
  temporal: TemporalConnection,
): Promise<{ client: Client; close: () => Promise<void> }> {
  const { address, namespace, security } = temporal;
  const tracing = await openTracing();
  try {
    const connection = await Connection.connect({ address, ...security, connectTimeout: '5 seconds' });
    const interceptors = tracing && { workflow: tracing.clientInterceptors };
    return {
      client: new Client({ connection, namespace, ...(interceptors && { interceptors }) }),
      close: async () => {
        await tracing?.close();
        await connection.close();
      },
    };
  } catch (error) {
    throw await unreachable(temporal, error);
  }
}

/** The error for a connection that failed, with the reason, which the SDK's errors mostly lack. */
export async function unreachable(temporal: TemporalConnection, cause: unknown): Promise<TemporalUnreachable> {
  const problem = await temporalProblem(temporal);
  return new TemporalUnreachable(
    `no Temporal server answers at ${temporal.address}${problem === undefined ? '' : `: ${problem}`}`,
    {
      hint: '`npx nautil up` starts one here; NAUTIL_TEMPORAL_ADDRESS, or TEMPORAL_ADDRESS with its TLS settings, names one elsewhere',
      cause,
    },
  );
}
