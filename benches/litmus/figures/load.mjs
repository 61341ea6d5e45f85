/**
 * The load of the availability figure: a member calls at a fixed rate, whatever becomes of its calls, and writes down what it read and
 * when. Values are versions: each key has one member that writes it, and counts.
 */

/** Runs in a member: begins, and answers at once. `scope.load` becomes what was written down. Times are milliseconds since `zero`. */
export function beginLoad(scope, { zero, keys, own, rate, writes, milliseconds, deadline }) {
  const { cache, ask } = scope;
  const now = () => Number(process.hrtime.bigint() - zero) / 1e6;
  const log = { reads: [], changes: [], offered: 0, late: [], failed: [], bins: [] };
  const versions = new Map(own.map((key) => [key, 0]));
  const pick = (list) => list[Math.floor(Math.random() * list.length)];
  const [BIN, NOTHING, FOREIGN] = [100, -1, -2];

  /** Counts a call as answered in time, late, or failed; a call that is never answered is late. */
  const follow = (call, done) => {
    const start = now();
    log.offered++;
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      log.late.push(start);
    }, deadline);
    const end = (isRight) => {
      if (isOver) return;
      clearTimeout(timer);
      if (!isRight) return void log.failed.push(start);
      const bin = Math.floor(now() / BIN);
      log.bins[bin] = (log.bins[bin] ?? 0) + 1;
    };
    call.then(
      (value) => {
        end(true);
        done(value, start);
      },
      () => end(false),
    );
  };

  const versionIn = (value, key) => {
    if (value == null) return NOTHING;
    return value.key === key ? value.version : FOREIGN;
  };
  const read = (index) => {
    const key = keys[index];
    const load = async () => ({ key, version: await ask({ get: key }) });
    follow(cache.getOrSet(key, load), (value, start) => {
      log.reads.push(index, versionIn(value, key), start, now());
    });
  };

  const change = (key) => {
    const version = versions.get(key) + 1;
    versions.set(key, version);
    const index = keys.indexOf(key);
    const work = async () => {
      // The origin first, as everybody should: whoever loads from now on loads the new version.
      await ask({ set: key, version });
      if (version % 2 === 0) await cache.delete(key);
      else await cache.set(key, { key, version });
    };
    follow(work(), () => log.changes.push(index, version, now()));
  };

  const every = 10;
  let owed = 0;
  const begin = now();
  const timer = setInterval(() => {
    const passed = now() - begin;
    for (const due = (passed * rate) / 1_000; owed < due; owed++) {
      if (Math.random() < writes) change(pick(own));
      else read(Math.floor(Math.random() * keys.length));
    }
  }, every);
  scope.load = new Promise((resolve) => {
    setTimeout(() => {
      clearInterval(timer);
      setTimeout(() => {
        const numbers = { reads: Float64Array.from(log.reads), changes: Float64Array.from(log.changes) };
        resolve({ ...log, ...numbers, bins: Array.from(log.bins, (count) => count ?? 0) });
      }, deadline + 100);
    }, milliseconds);
  });
}
