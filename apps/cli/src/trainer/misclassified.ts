import type { PlacedExample } from '@nautil/datasets/tables';
import { type Classifier, predictionsOf } from '@nautil/training';
import type { JudgedExample } from '../example-list.js';

/** The examples of an evaluation for which another class is the most probable. */
export class Misclassified {
  readonly #labels: Classifier['labels'];

  /** By the number of the example, from 0. */
  readonly #found = new Map<number, Pick<JudgedExample, 'label' | 'other' | 'labelScore' | 'otherScore'>>();

  constructor({ labels }: Pick<Classifier, 'labels'>) {
    this.#labels = labels;
  }

  /** @param logits - [numClasses] */
  add(row: number, label: number, logits: Float32Array): void {
    const [prediction] = predictionsOf([logits], this.#labels);
    if (prediction === undefined || prediction.labelId === label) return;
    const { scores, labelId } = prediction;
    this.#found.set(row, {
      label: this.#labels?.[label] ?? String(label),
      other: prediction.label,
      labelScore: scores[label] ?? 0,
      otherScore: scores[labelId] ?? 0,
    });
  }

  /** The misclassified ones of the evaluated examples, in descending order of the probability of the wrong class. */
  async examples(all: AsyncIterable<PlacedExample>): Promise<JudgedExample[]> {
    const judged: JudgedExample[] = [];
    let row = 0;
    for await (const { place, text, textPair } of all) {
      const found = this.#found.get(row++);
      if (found) judged.push({ place, text, textPair, ...found });
    }
    return judged.sort((a, b) => b.otherScore - a.otherScore);
  }
}
