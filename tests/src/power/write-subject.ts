import { writeSync } from 'node:fs';
import { markPrefix } from './file-operations.js';
import { type SubjectName, subjects } from './subjects.js';

/** A program: `write-subject NAME FOLDER`. */
const [name, folder] = process.argv.slice(2) as [SubjectName, string];
await subjects[name].write(folder, (text) => {
  writeSync(1, `${markPrefix}${text}\n`);
});
