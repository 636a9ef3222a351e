// A program that `nautil doctor` runs, so that a crash in a library does not end it: see checkTensorFlow.
import { inspectTensorFlow } from '@nautil/tensorflow';

try {
  console.log(JSON.stringify(inspectTensorFlow()));
} catch (error) {
  console.error(error instanceof Error ? error.message.split('\n')[0] : error);
  process.exitCode = 1;
}
