import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../../results/', import.meta.url);

/** Everything that was measured, each sample of it; `latest.json` is what the picture is made from. */
export function writeResults(run) {
  mkdirSync(folder, { recursive: true });
  const text = `${JSON.stringify(run, null, 1)}\n`;
  const file = new URL(`${run.machine.at.replaceAll(':', '-')}.json`, folder);
  for (const place of [file, new URL('latest.json', folder)]) writeFileSync(place, text);
  return fileURLToPath(file);
}
