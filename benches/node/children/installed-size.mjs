import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Bytes on disk of packages and of everything that they depend on, each package once. */
export function installedSize(names) {
  const seen = new Set();
  const add = (name, from) => {
    const folder = resolved(name, from);
    if (folder === undefined || seen.has(folder)) return;
    seen.add(folder);
    const { dependencies = {} } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
    for (const dependency of Object.keys(dependencies)) add(dependency, folder);
  };
  for (const name of names) add(name, root);
  return [...seen].reduce((sum, folder) => sum + sizeOf(folder), 0);
}

/** Bytes of what `npm install turbocache-js` puts on disk: the files of the package, and the binary as it is packed, without debug information. */
export function ownSize() {
  const { files } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const binary = readdirSync(root).find((file) => file.endsWith('.node'));
  const folder = mkdtempSync(path.join(tmpdir(), 'size-'));
  try {
    const stripped = path.join(folder, binary);
    copyFileSync(path.join(root, binary), stripped);
    if (process.platform === 'linux') execFileSync('strip', ['--strip-debug', stripped]);
    return files.reduce((sum, file) => sum + sizeOf(path.join(root, file)), statSync(stripped).size);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** As Node looks for it: in the nearest node_modules above. */
function resolved(name, from) {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'node_modules', name);
    if (existsSync(candidate)) return candidate;
    if (folder === path.dirname(folder)) return undefined;
  }
}

/** Without nested node_modules: what is in there is counted if somebody depends on it. */
function sizeOf(place) {
  const stat = statSync(place);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(place)
    .filter((entry) => entry !== 'node_modules')
    .reduce((sum, entry) => sum + sizeOf(path.join(place, entry)), 0);
}
