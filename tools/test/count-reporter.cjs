const { mkdirSync, writeFileSync } = require('node:fs');
const { basename, dirname, join, resolve } = require('node:path');

const root = resolve(__dirname, '..', '..');

/**
 * A Jest reporter that writes the counts of a suite to tmp/test-results, in a file named for Jest's displayName. The file is an
 * output of the Nx target, so a result from Nx's cache includes its counts.
 */
module.exports = class CountReporter {
  constructor(globalConfig) {
    this.folder = basename(globalConfig.rootDir);
  }

  onRunComplete(contexts, results) {
    const [context] = contexts;
    const suite = context?.config.displayName?.name ?? this.folder; // without tests there is no context
    const named = (status) =>
      results.testResults.flatMap((file) =>
        file.testResults.filter((test) => test.status === status).map((test) => test.fullName),
      );
    const broken = results.testResults
      .filter((file) => file.testExecError)
      .map((file) => file.testFilePath.slice(root.length + 1));
    const counts = {
      suite,
      passed: results.numPassedTests,
      failed: [...named('failed'), ...broken],
      skipped: [...named('pending'), ...named('todo')],
    };
    const path = join(root, 'tmp', 'test-results', `${suite}.json`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify(counts, null, 2)}\n`);
  }
};
