import { startProcess } from '../start-process.js';

// Starts a program that must end with this process, prints its id, and waits to be killed.

const { pid } = await startProcess({
  name: 'child',
  command: '/bin/sh',
  args: ['-c', 'sleep 300 & sleep 300'],
  logFile: process.argv[2]!,
  outlivesParent: false,
});
process.stdout.write(`${pid}\n`);
setInterval(() => undefined, 1000);
