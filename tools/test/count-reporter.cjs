const { mkdirSync, writeFileSync } = require('node:fs');
const { basename, dirname, join, resolve } = require('node:path');

const root = resolve(__dirname, '..', '..');

/**
 * A Jest reporter that writes a project's counts to tmp/test-results. That folder is an output of the Nx target, so a result
 * from Nx's cache includes its counts.
 */
module.exports = class CountReporter {
  constructor(globalConfig) {
    this.project = basename(globalConfig.rootDir); // every project is named for its folder
  }

  onRunComplete(contexts, results) {
    const named = (status) =>
      results.testResults.flatMap((file) =>
        file.testResults.filter((test) => test.status === status).map((test) => test.fullName),
      );
    const broken = results.testResults
      .filter((file) => file.testExecError)
      .map((file) => file.testFilePath.slice(root.length + 1));
    const counts = {
      project: this.project,
      passed: results.numPassedTests,
      failed: [...named('failed'), ...broken],
      skipped: [...named('pending'), ...named('todo')],
    };
    const path = join(root, 'tmp', 'test-results', `${this.project}.json`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify(counts, null, 2)}\n`);
  }
};
