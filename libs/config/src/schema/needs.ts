import { type JsonObject, type JsonValue, valueAt } from '@nautil/contracts';
import type { Need, Requirement } from './key.js';
import { alternatives, shownWord } from './lookup.js';

/** Needs that several keys share. */
export const validated: readonly Need[] = [
  [
    { key: 'model.validation_ds.file_path', isNot: [null] },
    { key: 'nautil.data.source', isNot: [null] },
    { key: 'nautil.data.validation_fraction', isNot: [null, 0] },
    // Only the files show whether they are tables, which get a validation set; the convert stage reports the lack of one.
    { key: 'nautil.data.format', isNot: ['nemo'] },
  ],
  [{ key: 'trainer.limit_val_batches', isNot: [0] }],
];
export const tested: readonly Need[] = [
  [
    { key: 'model.test_ds.file_path', isNot: [null] },
    { key: 'nautil.data.source', isNot: [null] },
  ],
  [{ key: 'trainer.limit_test_batches', isNot: [0] }],
];

/** The needs that a configuration does not meet. */
export function unmetNeeds(needs: readonly Need[], config: JsonObject): Need[] {
  return needs.filter((need) => !need.some((requirement) => isMet(requirement, config)));
}

function isMet(requirement: Requirement, config: JsonObject): boolean {
  // A key is absent where its section is null.
  const value = valueAt(config, requirement.key) ?? null;
  const isAmong = (values: readonly JsonValue[]): boolean => values.includes(value);
  return 'is' in requirement ? isAmong(requirement.is) : !isAmong(requirement.isNot);
}

/** Needs in words: `trainer.max_steps=-1 or null, and model.test_ds.file_path`. */
export const describeNeeds = (needs: readonly Need[]): string => needs.map(describeNeed).join(', and ');

function describeNeed(need: Need): string {
  const texts = need.map(describeRequirement);
  return texts.join(texts.some((text) => text.includes(' or ')) ? ', or ' : ' or ');
}

function describeRequirement(requirement: Requirement): string {
  const { key } = requirement;
  if ('is' in requirement) return `${key}=${alternatives(requirement.is.map(shownWord))}`;
  const others = requirement.isNot.filter((value) => value !== null);
  return others.length === 0 ? key : `${key} other than ${alternatives(others.map(shownWord))}`;
}
