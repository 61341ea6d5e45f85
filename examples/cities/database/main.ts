/** The database process: PostgreSQL in memory, filled with the places of the world, served to the service processes. */
import { placeLimit, worldPlaces } from '../data/world-places';
import { tellDemo } from '../demo/tell-demo';
import { fillDatabase } from './fill';
import { openDatabase } from './schema';
import { serveSql } from './sql-server';

process.on('SIGINT', () => undefined); // Ctrl-C is the parent's to handle: it ends this process in order
process.on('disconnect', () => process.exit());

async function main(): Promise<void> {
  tellDemo({ kind: 'progress', step: 'starting PostgreSQL', done: 0, total: 0 });
  const database = await openDatabase();
  await fillDatabase(database, worldPlaces(placeLimit(process.env)), (progress) =>
    tellDemo({ kind: 'progress', ...progress }),
  );
  tellDemo({ kind: 'ready', port: await serveSql(database) });
}

void main();
