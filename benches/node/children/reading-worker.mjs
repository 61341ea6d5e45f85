/** A worker thread that opens its cache, says so, and then reads as often as it is told. */
import { isDeepStrictEqual } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import * as peers from '../peers/memory.mjs';
import { compiledLoop, compiledRead } from '../runner/compiled-loop.mjs';
import { keys, userOf } from '../values.mjs';

const CACHES = {
  sharedMemory: (fill) => peers.turbocache(fill, { namespace: 'workers', hot: false }),
  hot: (fill) => peers.turbocache(fill, { namespace: 'workers' }),
  lruCache: peers.lruCache,
  cacheable: peers.cacheable,
};

const peer = await CACHES[workerData.cache](keys.map((key, index) => [key, userOf(index)]));
const expression = peer[workerData.expression];
const run = compiledLoop(peer, keys, expression);
const isRight = isDeepStrictEqual(await compiledRead(peer, keys, expression)(7), userOf(7));

parentPort.on('message', async (operations) => {
  try {
    await run(operations);
    parentPort.postMessage(isRight ? null : 'the value is another one');
  } catch (error) {
    parentPort.postMessage(error.message);
  }
});
parentPort.postMessage('open');
