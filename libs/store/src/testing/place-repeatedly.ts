// Puts contents of its own at a path, one after another, until it is killed. Prints each before it does so.
import { join } from 'node:path';
import { fileRef } from '../digest.js';
import { placeFile } from '../place-file.js';
import { writeFileAtomic } from '../write-file-atomic.js';

const [folder = '', to = '', owner = ''] = process.argv.slice(2);
for (let number = 0; ; number++) {
  const from = join(folder, `${owner}-${number}`);
  await writeFileAtomic(from, `${owner} ${number}`);
  const file = await fileRef(from);
  console.log(`placing ${number}`);
  await placeFile(file, to, { owner, isShared: false });
}
