/** What the caller requests of a running training, which reads it between steps. */
export interface TrainControl {
  /** `early`: finish now, with the current weights. `interrupt`: write a checkpoint and throw TrainingInterrupted. */
  stop?: 'early' | 'interrupt';
}
