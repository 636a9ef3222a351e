export { pythonFixed } from './python-fixed.js';
export { pythonFloat, pythonNumber } from './python-float.js';
export { pythonString, pythonStrings } from './python-string.js';
export { parsePythonInt, splitWords, stripSpaces } from './python-text.js';
