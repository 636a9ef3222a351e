/**
 * A part of a tutorial: Markdown, or the content of a fenced block. The kind of a block is what follows its fence: `sh` for commands,
 * `sh terminal` for commands that a notebook leaves out, `ts` for a program whose first line names its file (`// errors.ts`), and
 * `text` for output.
 */
export interface TutorialPart {
  kind: 'markdown' | 'sh' | 'sh terminal' | 'ts' | 'text';
  text: string;
}

/** Splits a tutorial into its parts, in order. */
export function tutorialParts(markdown: string): TutorialPart[] {
  const pieces = markdown.split(/^```(sh|sh terminal|ts|text)\n([^]*?)^```\n/m);
  return pieces.flatMap((text, i) => {
    if (i % 3 === 1) return []; // the kind of the next piece
    return { kind: i % 3 === 0 ? 'markdown' : (pieces[i - 1] as TutorialPart['kind']), text };
  });
}

const firstCell = `import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';

/** Runs commands in bash, and shows what they print. Throws if one of them fails. */
async function sh(commands: string): Promise<void> {
  const bash = spawn('bash', ['-e', '-o', 'pipefail', '-c', commands]);
  for (const stream of [bash.stdout, bash.stderr])
    stream.setEncoding('utf8').on('data', (text) => process.stdout.write(text));
  const [exitCode] = await once(bash, 'close');
  if (exitCode !== 0) throw new Error(\`the exit code is \${exitCode}\`);
}

// Relative to docs/tutorials, where Jupyter starts the kernel.
mkdirSync('../../tmp/tutorial', { recursive: true });
process.chdir('../../tmp/tutorial');`;

interface Cell {
  type: 'markdown' | 'code';
  text: string;
}

/**
 * Converts a tutorial to a notebook for the kernel tslab. Commands become calls of a function that runs them. The cell that defines it
 * takes the place of the first `sh terminal`, which makes the working folder.
 *
 * @param markdown - the text of a page in docs/
 * @returns the notebook in nbformat 4.5, for the folder docs/tutorials
 */
export function notebookOf(markdown: string): string {
  const cells: Cell[] = [];
  for (const { kind, text } of tutorialParts(markdown)) {
    if (kind === 'sh') cells.push({ type: 'code', text: `await sh(String.raw\`\n${text}\`);` });
    else if (kind === 'ts') cells.push({ type: 'code', text });
    else if (kind === 'sh terminal' && cells.length === 1) cells.push({ type: 'code', text: firstCell });
    else if (kind === 'text') addMarkdown(cells, `\`\`\`text\n${text}\`\`\`\n`);
    else if (kind === 'markdown') addMarkdown(cells, text);
  }
  const notebook = {
    cells: cells.map(({ type, text }, i) => ({
      cell_type: type,
      ...(type === 'code' ? { execution_count: null } : {}),
      id: `cell-${i + 1}`,
      metadata: {},
      ...(type === 'code' ? { outputs: [] } : {}),
      source: text.trim().split(/(?<=\n)/),
    })),
    metadata: {
      kernelspec: { display_name: 'TypeScript', language: 'typescript', name: 'tslab' },
      language_info: { file_extension: '.ts', mimetype: 'text/typescript', name: 'typescript' },
    },
    nbformat: 4,
    nbformat_minor: 5,
  };
  return `${JSON.stringify(notebook, null, 1)}\n`;
}

/** Appends Markdown to the last cell if that is Markdown, with its links changed for a folder below the page's. */
function addMarkdown(cells: Cell[], markdown: string): void {
  const text = markdown.replace(/\]\((?!https?:|#)/g, '](../');
  const last = cells.at(-1);
  if (last?.type === 'markdown') last.text = `${last.text.trimEnd()}\n\n${text.trimStart()}`;
  else if (text.trim() !== '') cells.push({ type: 'markdown', text });
}
