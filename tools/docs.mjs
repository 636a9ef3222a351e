// Writes the pages of docs/ that are made from code: config.md from the schema, cli.md from the help of each command.
//   node tools/docs.mjs           writes them
//   node tools/docs.mjs --check   ends with 1 when one is not what the code says
import { readFile, writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { register } from 'tsx/esm/api';

register();
const { configReference } = await import('../libs/config/src/index.ts');
const { cliReference } = await import('../apps/cli/src/index.ts');

const made = '<!-- Made by `node tools/docs.mjs`: change the code, not this page. -->';
const pages = {
  'docs/config.md': `# Configuration

${made}

Every key of \`conf/text_classification_config.yaml\` and those that a file may have beside them. Keys are set in a file of your
own (\`--config-path FOLDER --config-name NAME\`) or on the command line by Hydra's overrides, whose grammar is in
[libs/config/GRAMMAR.md](../libs/config/GRAMMAR.md). \`npx nautil config explain KEY\` says the same of one key, and what it is now;
\`npx nautil config show\` prints the whole.

${configReference()}`,
  'docs/cli.md': `# The command line

${made}

What \`npx nautil --help\` and the help of each command print.

${cliReference()}`,
};

const stale = [];
for (const [page, text] of Object.entries(pages)) {
  const path = new URL(`../${page}`, import.meta.url);
  const options = await resolveConfig(path);
  const formatted = await format(text, { ...options, parser: 'markdown' });
  if (formatted === (await readFile(path, 'utf8').catch(() => ''))) continue;
  stale.push(page);
  if (!process.argv.includes('--check')) await writeFile(path, formatted);
}
if (stale.length > 0 && process.argv.includes('--check')) {
  console.error(
    `${stale.join(' and ')} ${stale.length === 1 ? 'is' : 'are'} not what the code says: node tools/docs.mjs`,
  );
  process.exitCode = 1;
} else console.log(stale.length > 0 ? `${stale.join(' and ')} written` : 'the pages are up to date');
