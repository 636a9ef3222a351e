import { Client, Connection } from '@temporalio/client';
import { TemporalUnreachable } from '@nautil/contracts';

/** Connects to the Temporal server at `address` (`host:port`). The caller closes the connection. */
export async function connectToTemporal(address: string): Promise<{ client: Client; close: () => Promise<void> }> {
  try {
    const connection = await Connection.connect({ address, connectTimeout: '5 seconds' });
    return { client: new Client({ connection }), close: () => connection.close() };
  } catch (error) {
    throw new TemporalUnreachable(`no Temporal server answers at ${address}`, {
      hint: '`npx nautil up` starts one here; NAUTIL_TEMPORAL_ADDRESS names one elsewhere',
      cause: error,
    });
  }
}
