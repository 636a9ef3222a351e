import { charsmapOf } from './charsmap-of.js';
import { knownPatterns } from './foreign-pattern.js';
import { stepsOf } from './steps-of.js';
import type { PipelineStep } from './tokenizer-definition.js';

/** The largest factor by which a normalizer or a pre-tokenizer can make a text longer. */
export function growthOf(first: PipelineStep | null): number {
  let growth = 1;
  for (const step of stepsOf(first)) growth *= growthOfStep(step);
  return growth;
}

function growthOfStep(step: PipelineStep): number {
  switch (step.type) {
    case 'Replace':
      return replacementGrowth(step);
    case 'Prepend':
      // A text of one character grows most.
      return 1 + textLength(step['prepend']);
    case 'Precompiled':
      return Math.max(1, charsmapOf(step).longestReplacement);
    case 'Metaspace':
      return Math.max(1, textLength(step['replacement']));
    case 'ByteLevel':
      // A character has up to four bytes, and each of them becomes a character. UTF-16 has two units for those with four.
      return 3;
    default:
      return 1;
  }
}

function replacementGrowth({ pattern, content }: PipelineStep): number {
  const { String: written, Regex: regex } = pattern as { String?: string; Regex?: string };
  const length = textLength(content);
  if (written !== undefined && written !== '') return Math.max(1, length / written.length);
  // Another regular expression may match the empty text between any two characters.
  return regex !== undefined && knownPatterns.has(regex) ? Math.max(1, length) : length + 1;
}

const textLength = (value: unknown): number => (typeof value === 'string' ? value.length : 0);
