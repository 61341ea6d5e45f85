/** `node scripts/check-version.mjs 1.2.3`: fails unless package.json and Cargo.toml both say that version. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const read = (name) => readFileSync(path.join(root, name), 'utf8');

const expected = process.argv[2];
const found = {
  'package.json': JSON.parse(read('package.json')).version,
  'Cargo.toml': /^version = "(.+)"$/m.exec(read('Cargo.toml'))?.[1],
};
for (const [file, version] of Object.entries(found)) {
  if (version !== expected) {
    console.error(`${file} says ${version}, expected ${expected}`);
    process.exitCode = 1;
  }
}
