import { startClusterServer } from '../cluster-server.js';

// Starts the server of a cluster, prints a line, and serves until it is killed: TensorFlow cannot stop its server.
await startClusterServer({ members: process.argv.slice(2), index: 0 }, {});
process.stdout.write('serving\n');
setInterval(() => undefined, 1000);
