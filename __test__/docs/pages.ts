/** The documentation as the tests see it: pages, their code blocks, links and tables. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** Every page of the project itself, from the repository's root. */
export function pages(): string[] {
  const docs = readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' });
  const found = docs.filter((file) => file.endsWith('.md')).map((file) => `docs/${file.split(path.sep).join('/')}`);
  return ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...found.sort()];
}

export interface CodeBlock {
  /** `README.md:42`: the line of its fence. */
  readonly place: string;
  readonly language: string;
  readonly code: string;
  /** What the comment `<!-- mark -->` in the line above the fence says. */
  readonly mark: string | undefined;
}

export function codeBlocks(page: string): CodeBlock[] {
  const text = textOf(page);
  return [...text.matchAll(/^(?:<!-- (.+) -->\n)?```(\S*)\n([^]*?)^```$/gm)].map((match) => {
    const [, mark, language = '', code = ''] = match;
    const line = text.slice(0, match.index).split('\n').length + (mark === undefined ? 0 : 1);
    return { place: `${page}:${line}`, language, code, mark };
  });
}

/** The block that carries this mark. */
export function markedBlock(page: string, mark: string): CodeBlock {
  const block = codeBlocks(page).find((each) => each.mark === mark);
  if (block === undefined) throw new Error(`${page} has no block marked ${mark}`);
  return block;
}

/** Rows of the table behind `<!-- mark -->`, without the head; cells as they are written. */
export function markedTable(page: string, mark: string): string[][] {
  const [, table] = new RegExp(`^<!-- ${mark} -->\n((?:\\|.*\n)+)`, 'm').exec(textOf(page)) ?? [];
  if (table === undefined) throw new Error(`${page} has no table marked ${mark}`);
  const rows = table.trimEnd().split('\n').slice(2);
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

/** Targets of links that are files or anchors of the repository. */
export function localLinks(page: string): string[] {
  const prose = textOf(page)
    .replace(/^```[^]*?^```$/gm, '')
    .replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? '').filter((to) => !/^[a-z]+:/.test(to));
}

/** Anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(page: string): Set<string> {
  const headings = [
    ...textOf(page)
      .replace(/^```[^]*?^```$/gm, '')
      .matchAll(/^#+ (.+)$/gm),
  ];
  return new Set(headings.map(([, title = '']) => anchorOf(title)));
}

const anchorOf = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');
