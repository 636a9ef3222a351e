export { gunzipped, guardStream } from './guard-stream.js';
export { readChunks, readTextLines } from './read-chunks.js';
