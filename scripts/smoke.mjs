/** The built package loads on this host and serves one value. For platforms on which the whole test run is not made. */
import assert from 'node:assert/strict';
import { CacheManager } from '../index.mjs';

const manager = new CacheManager();
await manager.set('answer', { is: 42 });
assert.deepEqual(await manager.get('answer'), { is: 42 });
await manager.close();
console.log('ok');
