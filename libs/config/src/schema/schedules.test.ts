import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { schedules } from './schedules.js';

const recorded = JSON.parse(
  readFileSync(new URL('../../../../tests/golden/schedules.json', import.meta.url), 'utf8'),
) as { cases: { sched: { name: string } }[] };

// The rates with a monitor depend on what it watches, and not on its name.
test.each(Object.entries(schedules))('NeMo’s learning rates are recorded for every key of %s', (name, { takes }) => {
  const ofSchedule = recorded.cases.map(({ sched }) => sched).filter((sched) => sched.name === name);
  const given = new Set(ofSchedule.flatMap((sched) => Object.keys(sched)));
  expect(takes.filter((key) => key !== 'monitor' && !given.has(key))).toEqual([]);
});
