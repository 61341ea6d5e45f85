import type { PGlite } from '@electric-sql/pglite';
import type { WorldPlace } from '../data/world-places';
import { INDEXES } from './schema';

/** How far the filling is. `total` 0: the step has no parts. */
export interface FillProgress {
  step: string;
  done: number;
  total: number;
}

const ROWS_PER_INSERT = 5_000;

/** Inserts the places in large batches, then builds the indexes: faster than keeping them up to date row by row. */
export async function fillDatabase(
  database: PGlite,
  places: readonly WorldPlace[],
  report: (progress: FillProgress) => void,
): Promise<void> {
  for (let done = 0; done < places.length;) {
    const batch = places.slice(done, done + ROWS_PER_INSERT);
    await database.query('insert into places select * from json_populate_recordset(null::places, $1::json)', [
      JSON.stringify(batch),
    ]);
    done += batch.length;
    report({ step: 'rows', done, total: places.length });
  }
  for (const { what, sql } of INDEXES) {
    report({ step: what, done: 0, total: 0 });
    await database.exec(sql);
  }
}
