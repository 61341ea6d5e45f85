import { join } from 'node:path';
import { DemoProcess } from './child-process';
import { withProgressLine } from './progress-line';
import type { Stage } from './stage';

/** Starts and fills the database, with progress; resolves to its port. */
export async function startDatabase(stage: Stage, places: number): Promise<number> {
  return withProgressLine('database', async (line) => {
    const process = await stage.own(() => new DemoProcess('database', join(__dirname, '../database/main.js'), {}));
    const port = await process.ready((message) => {
      if (message.kind === 'progress') line.show(message.step, message.done, message.total);
    });
    return [`PostgreSQL (PGlite) with ${places.toLocaleString('en')} places`, port];
  });
}
