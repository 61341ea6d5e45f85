import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs a program of this folder in a fresh process; the last line that it prints is its figures, as JSON. */
export async function childFigures(program, parameters, flags = []) {
  const file = fileURLToPath(new URL(program, import.meta.url));
  const { stdout } = await run(process.execPath, [...flags, '--expose-gc', file, ...parameters.map(String)]);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1));
}
