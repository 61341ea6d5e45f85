/**
 * Makes one file of the client's fifty: reading and compiling them one by one is most of what `require` costs
 * (benches/node/memory.mjs: 27 ms of CPU time, 10 as one file). Who wants a single module, as our own tests and scripts do,
 * still finds it beside the bundle.
 */
import { renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
// Not host.mjs: it needs what is being built.
const entry = path.join(root, 'dist/node/client/index.js');
const temporary = `${entry}.${process.pid}.js`;

const bundle = await rolldown({ input: entry, platform: 'node', logLevel: 'warn' });
// At the place of the entry, because the client finds package.json and the binary from there.
await bundle.write({ file: temporary, format: 'cjs', sourcemap: false, exports: 'named' });
await bundle.close();
// In one step: a process that is just starting finds the old one or the new one.
renameSync(temporary, entry);
rmSync(`${entry}.map`, { force: true });
