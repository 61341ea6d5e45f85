/** This host, in the words of the client's own detection (built before any script here runs). */
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const { detectHost, targetOf, TARGETS } = createRequire(import.meta.url)('../dist/node/client/platform.js');

export { TARGETS };
export const HOST = detectHost();
export const TARGET = targetOf(HOST);
export const NATIVE_FILE = `turbocache.${TARGET}.node`;
