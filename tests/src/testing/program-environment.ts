import { tensorFlowLibrary } from '@nautil/tensorflow';

// Found before a test chooses another state folder, which has no TensorFlow.
const library = tensorFlowLibrary();

/** Variables of a program that a test starts with a state folder of its own, and without Jest's option for Node. */
export const programEnvironment = (home: string) => ({
  LIBTENSORFLOW: library,
  NAUTIL_HOME: home,
  NODE_OPTIONS: '',
});
