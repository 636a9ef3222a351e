// The process that protects Temporal's UI: see startTemporalServer. It ends with the server, whose child it is.
//   ui-gate-process PUBLIC_PORT PRIVATE_HOST PRIVATE_PORT SERVER_PID
// In a container of its own, it listens on all of the container's addresses, and ends when it is stopped: see compose.yaml.
//   ui-gate-process PUBLIC_PORT PRIVATE_HOST PRIVATE_PORT
import { createUiGate } from './ui-gate.js';

const [publicPort, host = '', port, server] = process.argv.slice(2);
const gate = createUiGate({ host, port: Number(port) });
gate.on('error', (error) => {
  process.stderr.write(`Temporal's UI cannot be served at port ${publicPort}: ${error.message}\n`);
  process.exit(1);
});
if (server === undefined) {
  gate.listen(Number(publicPort));
  process.once('SIGTERM', () => process.exit(0));
} else {
  gate.listen(Number(publicPort), '127.0.0.1');
  setInterval(() => {
    if (process.ppid !== Number(server)) process.exit(0);
  }, 250);
}
