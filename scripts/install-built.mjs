/**
 * `node scripts/install-built.mjs <folder>` puts the built package into the folder's node_modules, where it finds that
 * folder's Nest instead of the repository's.
 */
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { NATIVE_FILE, ROOT } from './host.mjs';

const target = path.resolve(process.argv[2], 'node_modules', 'turbocache-js');
const { files } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const name of ['package.json', NATIVE_FILE, ...files]) {
  cpSync(path.join(ROOT, name), path.join(target, name), { recursive: true });
}
