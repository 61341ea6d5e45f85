/** A process that runs what its parent sends: a line a request, a line an answer, each a serialized value in base64. */
import { createInterface } from 'node:readline';
import { deserialize, serialize } from 'node:v8';
import { evaluate, makeScope } from './evaluate.mjs';

const scope = makeScope(deserialize(Buffer.from(process.argv[2], 'base64')));

createInterface(process.stdin).on('line', (line) => {
  const { id, source, args } = deserialize(Buffer.from(line, 'base64'));
  void evaluate(scope, source, args).then((answer) => {
    process.stdout.write(`${serialize({ id, ...answer }).toString('base64')}\n`);
  });
});
