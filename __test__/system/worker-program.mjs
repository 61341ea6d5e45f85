/** A worker thread that runs what its parent sends. */
import { parentPort, workerData } from 'node:worker_threads';
import { evaluate, makeScope } from './evaluate.mjs';

const scope = makeScope(workerData);

parentPort.on('message', ({ id, source, args }) => {
  void evaluate(scope, source, args).then((answer) => parentPort.postMessage({ id, ...answer }));
});
