/** Makes `npm/<target>/`, the npm package that holds the binary of this host. The binary must have been built. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { HOST, NATIVE_FILE, ROOT, TARGET } from './host.mjs';

/** Makes the package and answers its folder. */
export function makePlatformPackage() {
  const { version, license, repository, engines } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  const manifest = {
    name: `turbocache-js-${TARGET}`,
    version,
    description: `The native binary of turbocache-js for ${TARGET}.`,
    license,
    repository: { ...repository, directory: `npm/${TARGET}` },
    engines,
    os: [HOST.platform],
    cpu: [HOST.arch],
    ...(HOST.libc === null ? {} : { libc: [HOST.libc] }),
    main: NATIVE_FILE,
    files: [NATIVE_FILE],
  };

  const folder = path.join(ROOT, 'npm', TARGET);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(
    path.join(folder, 'README.md'),
    `# ${manifest.name}\n\n${manifest.description} Installed by it; not for direct use.\n`,
  );
  copyFileSync(path.join(ROOT, 'LICENSE'), path.join(folder, 'LICENSE'));
  const binary = path.join(folder, NATIVE_FILE);
  copyFileSync(path.join(ROOT, NATIVE_FILE), binary);
  // Most of an ELF file are line tables (27 of 32 MB); other systems keep them in files of their own.
  if (HOST.platform === 'linux') execFileSync('strip', ['--strip-debug', binary]);
  return folder;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(path.relative(ROOT, makePlatformPackage()));
