import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Source {
  /** Relative to the repository, with `/`. */
  readonly file: string;
  readonly text: string;
}

export function sourcesIn(folder: string, extension: string): Source[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .map((name) => read(path.posix.join(folder, name.split(path.sep).join('/'))));
}

export function read(file: string): Source {
  return { file, text: readFileSync(path.join(ROOT, file), 'utf8') };
}
