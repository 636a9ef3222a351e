// A program that `nautil doctor` runs: see checkTensorFlow.
import { openTensorFlow } from '@nautil/tensorflow';

try {
  const { version, library } = openTensorFlow();
  console.log(`${version}, ${library}`);
} catch (error) {
  console.error(error instanceof Error ? error.message.split('\n')[0] : error);
  process.exitCode = 1;
}
