// The process that protects Temporal's UI: see startTemporalServer. It ends with the server, whose child it is.
//   ui-gate-process PUBLIC_PORT PRIVATE_HOST PRIVATE_PORT SERVER_PID
import { createUiGate } from './ui-gate.js';

const [publicPort, host = '', port, server] = process.argv.slice(2);
const gate = createUiGate({ host, port: Number(port) });
gate.on('error', (error) => {
  process.stderr.write(`Temporal's UI cannot be served at port ${publicPort}: ${error.message}\n`);
  process.exit(1);
});
gate.listen(Number(publicPort), '127.0.0.1');
setInterval(() => {
  if (process.ppid !== Number(server)) process.exit(0);
}, 250);
