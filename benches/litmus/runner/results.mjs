import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../../results/', import.meta.url);

/** Everything that was seen; `litmus-latest.json` is what the page is made from. `kind` names the file. */
export function writeResults(run, kind = 'litmus') {
  mkdirSync(folder, { recursive: true });
  const text = `${JSON.stringify(run, null, 1)}\n`;
  const file = new URL(`${kind}-${run.machine.at.replaceAll(':', '-')}.json`, folder);
  for (const place of [file, new URL(`${kind}-latest.json`, folder)]) writeFileSync(place, text);
  return fileURLToPath(file);
}
