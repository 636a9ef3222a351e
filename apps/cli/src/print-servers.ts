import pc from 'picocolors';
import type { ServerStatus } from '@nautil/stack';
import { printResult } from './output.js';

const titles: Record<ServerStatus['name'], string> = { temporal: 'Temporal', mlflow: 'MLflow', worker: 'worker' };

/** Prints the table of `nautil status`, one server per line. */
export async function printServers(servers: ServerStatus[]): Promise<void> {
  for (const server of servers) await printServer(server);
}

function printServer({ name, state, ours, address, uiUrl, pid, since, problem, logFile }: ServerStatus): Promise<void> {
  const colour = state === 'running' ? pc.green : state === 'starting' ? pc.yellow : pc.red;
  const where = name === 'worker' ? address && `task queue ${address}` : address;
  const ui = uiUrl && uiUrl !== address ? `UI ${uiUrl}` : '';
  const whose =
    pid === undefined && ['stopped', 'failing', 'unreachable'].includes(state)
      ? ''
      : ours
        ? `process ${pid}, since ${since?.slice(0, 19).replace('T', ' ')} UTC`
        : 'not started by Nautil';
  const details = [where, ui, whose].filter(Boolean).map((detail) => `  ${detail}`);
  if (problem !== undefined) details.push(`\n    ${problem}`);
  if (problem !== undefined && logFile !== undefined) details.push(`\n    its log is ${logFile}`);
  return printResult(
    details.join(''),
    `${titles[name].padEnd(9)}  ${colour(details.length > 0 ? state.padEnd(9) : state)}`,
  );
}
