export { gunzipped, guardStream } from './guard-stream.js';
export { openFile, readWholeFile } from './open-file.js';
export { readChunks, readTextLines } from './read-chunks.js';
