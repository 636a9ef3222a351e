import { isJsonObject, type JsonObject } from '@nautil/contracts';
import type { HuggingFaceClassifier } from '@nautil/model';
import type { ClassifierSource } from '../classifier-source.js';

/** The model card (README.md) of an exported classifier, in Markdown with the metadata that the Hugging Face hub reads. */
export function modelCard(o: {
  /** Of the archive. */
  name: string;
  source: ClassifierSource;
  classifier: HuggingFaceClassifier;

  /** By id. */
  labels: readonly string[];
  maxTokens: number;
  notes: readonly string[];
}): string {
  const { name, source, classifier, labels, maxTokens, notes } = o;
  const [architecture] = classifier.config['architectures'] as [string];
  const input = source.pairs ? 'pairs of texts' : 'single texts';
  return `---
library_name: transformers
pipeline_tag: text-classification
tags:
- text-classification
- nautil
---

# ${name}

A classifier of ${input} with ${labels.length} classes, which Nautil exported from \`${name}\` as \`${architecture}\`. Its logits are those
of the archive, up to the rounding of float32.

| id | label |
| --: | --- |
${labels.map((label, id) => `| ${id} | ${cell(label)} |`).join('\n')}
${scoresOf(source.metrics)}
## Use

\`\`\`python
from transformers import pipeline

classify = pipeline("text-classification", model="PATH OF THIS FOLDER")
classify(${source.pairs ? '{"text": "the first text", "text_pair": "the second text"}' : '"a text"'}, truncation=True)
\`\`\`

## Limits

- Texts are truncated to ${maxTokens} tokens, as in training.
- ${source.pairs ? 'It was trained on pairs of texts, and has no meaning for single ones.' : 'It was trained on single texts, and has no meaning for pairs.'}
${notes.map((note) => `- ${note[0]!.toUpperCase()}${note.slice(1)}.\n`).join('')}`;
}

/** The content of a cell of a table. */
const cell = (text: string): string => text.replaceAll(/[\\|`*_<>[\]]/g, '\\$&').replaceAll(/\s+/g, ' ');

/** A section with the recorded scores. */
function scoresOf(metrics: JsonObject | undefined): string {
  if (!isJsonObject(metrics)) return '';
  const { split, examples, accuracy, f1Macro } = metrics;
  if (typeof examples !== 'number' || typeof accuracy !== 'number' || typeof f1Macro !== 'number') return '';
  const set = split === 'val' ? 'validation' : 'test';
  return `
## Scores

Accuracy ${accuracy.toFixed(4)} and macro F1 ${f1Macro.toFixed(4)} on the ${examples} examples of the ${set} set of its run.
`;
}
