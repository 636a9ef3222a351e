// Records what `nautil run` sees of a run, for the tests of the screens:
//   npx tsx apps/cli/src/terminal/testing/record-run.ts WORKFLOW_ID FOLDER > apps/cli/src/terminal/recordings/NAME.jsonl
// FOLDER is the working folder, which the recording replaces by /home/user/reviews.
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Progress, progressQuery, type TextClassificationResult } from '@nautil/contracts';
import { nautilHome } from '@nautil/store/folders';
import { withRun } from '../../find-run.js';
import { RunPolls } from '../../run-polls.js';

const [workflowId = '', folder = ''] = process.argv.slice(2);
const begun = Date.now();

/** Machine paths and the ports of this stack are irrelevant to the screens. */
const anonymous = (line: string): string =>
  line
    .replaceAll(nautilHome(), '/home/user/.local/share/nautil')
    .replaceAll(folder, '/home/user/reviews')
    .replaceAll(homedir(), '/home/user')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:5000');

function record(entry: object): void {
  process.stdout.write(`${anonymous(JSON.stringify({ ms: Date.now() - begun, ...entry }))}\n`);
}

await withRun(workflowId, async ({ handle }) => {
  const polls = new RunPolls(handle, (message) => {
    throw new Error(message);
  });
  const ended = handle.result().then(
    () => true,
    () => true,
  );
  let [recordedMs, recordedStages] = [-Infinity, ''];
  for (;;) {
    const poll = await polls.complete(await handle.query<Progress>(progressQuery));
    const stages = JSON.stringify(poll.progress.stages);
    // Of a training that only goes on, one poll in five seconds is enough.
    if (stages !== recordedStages || (poll.tables ?? []).length > 0 || Date.now() - recordedMs >= 5000) {
      record({ poll });
      [recordedMs, recordedStages] = [Date.now(), stages];
    }
    if (await Promise.race([ended, sleep(1000, false)])) break;
  }
  record({ poll: await polls.complete(await handle.query<Progress>(progressQuery)) });
  const result = (await handle.result().catch(() => undefined)) as TextClassificationResult | undefined;
  if (result === undefined) return;
  const evaluations = result.evaluations && (await readFile(result.evaluations.path, 'utf8'));
  record({ result, evaluations });
});
