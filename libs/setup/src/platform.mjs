import { mkdirSync, statfsSync } from 'node:fs';
import { SetupError } from './setup-error.mjs';

/** Rejects unsupported machines before anything is downloaded. Supported: Linux x86-64 with glibc, Node.js 20.19 to 22. */
export function checkPlatform() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19) || major > 22) {
    throw new SetupError(`Node.js ${process.versions.node} at ${process.execPath} is not supported`, {
      hint: 'install Node.js 20.19 or newer, below 23 (nodejs.org, or your version manager)',
    });
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError(`${process.platform}-${process.arch} is not supported: Nautil runs on Linux x86-64`, {
      hint: 'on macOS and Windows use a Linux x86-64 container, virtual machine or WSL 2',
    });
  }
  if (!process.report.getReport().header.glibcVersionRuntime) {
    throw new SetupError('this Linux has no glibc (Alpine?), which the TensorFlow library needs', {
      hint: 'use a distribution with glibc 2.27 or newer: Debian, Ubuntu, Fedora, …',
    });
  }
  return `Node.js ${process.versions.node}, Linux x86-64`;
}

/** Checks the free disk space before anything is downloaded. */
export function checkFreeSpace(folder, neededBytes) {
  mkdirSync(folder, { recursive: true });
  const { bavail, bsize } = statfsSync(folder);
  const freeBytes = bavail * bsize;
  if (freeBytes < neededBytes) {
    const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`;
    throw new SetupError(
      `${folder}: the rest of the set-up needs about ${gigabytes(neededBytes)}, but only ${gigabytes(freeBytes)} are free`,
      {
        hint: 'free some space, or choose a state folder on another disk with the environment variable NAUTIL_HOME, then repeat the set-up',
      },
    );
  }
}
