/** In `model.nemo_path`, it stands for the name of the run. */
export const runPlaceholder = '{run}';
