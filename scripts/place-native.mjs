/**
 * Puts the library that cargo built beside package.json, under the name by which the client looks for it. Replaces by
 * renaming: a running process keeps the file it has mapped.
 */
import { copyFileSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { NATIVE_FILE, ROOT } from './host.mjs';

const LIBRARY = { darwin: 'libturbocache_node.dylib', win32: 'turbocache_node.dll' };

const built = path.join(targetFolder(), 'release', LIBRARY[process.platform] ?? 'libturbocache_node.so');
const placed = path.join(ROOT, NATIVE_FILE);

if (modified(placed) < modified(built)) {
  const temporary = `${placed}.${process.pid}`;
  copyFileSync(built, temporary);
  renameSync(temporary, placed);
  console.log(`${NATIVE_FILE}: ${(statSync(placed).size / 2 ** 20).toFixed(1)} MB`);
}

function targetFolder() {
  const folder = path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? 'target');
  // `cargo build --target …` builds into a folder of that name.
  return process.env.CARGO_BUILD_TARGET ? path.join(folder, process.env.CARGO_BUILD_TARGET) : folder;
}

function modified(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
