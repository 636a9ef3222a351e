import pc from 'picocolors';
import type { ServerStatus } from '@nautil/stack';

const titles: Record<ServerStatus['name'], string> = { temporal: 'Temporal', mlflow: 'MLflow', worker: 'worker' };

/** The table of `nautil status`, one server per line. */
export function formatServers(servers: ServerStatus[]): string {
  return servers.map(formatServer).join('\n');
}

function formatServer({ name, state, ours, address, uiUrl, pid, since }: ServerStatus): string {
  const colour = state === 'running' ? pc.green : state === 'starting' ? pc.yellow : pc.red;
  const where = name === 'worker' ? address && `task queue ${address}` : address;
  const ui = uiUrl && uiUrl !== address ? `UI ${uiUrl}` : '';
  const whose =
    state === 'stopped'
      ? ''
      : ours
        ? `process ${pid}, since ${since?.slice(0, 19).replace('T', ' ')} UTC`
        : 'not started by Nautil';
  return [titles[name].padEnd(9), colour(state.padEnd(9)), ...[where, ui, whose].filter(Boolean)].join('  ');
}
