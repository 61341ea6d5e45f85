/**
 * What each read was allowed to give. Versions of a key are written by one member, one after another; a change is acknowledged when
 * the origin has it and the call of the cache has ended.
 *
 * Wrong is a read that began after
 * - a later version was acknowledged in the same process: at once, whatever Redis does;
 * - a later version was acknowledged in another process, and since then all lines were whole for `bound` milliseconds: what Redis
 *   cannot be told nobody can know.
 */

/** `nothing`: a load that gave no value at all. */
export function checkVersions({ logs, keys, faults, bound }) {
  const changes = keys.map(() => []);
  for (const [member, { changes: made }] of logs.entries()) {
    for (let at = 0; at < made.length; at += 3)
      changes[made[at]].push({ member, version: made[at + 1], time: made[at + 2] });
  }
  const demands = changes.map((made) =>
    made.map((change) => ({ ...change, everywhere: wholeSince(change.time, faults, bound) })),
  );
  const result = { reads: 0, ownStale: 0, stale: 0, foreign: 0, nothing: 0, examples: [] };
  for (const [member, { reads }] of logs.entries()) {
    for (let at = 0; at < reads.length; at += 4) {
      const [index, version, start] = reads.subarray(at, at + 4);
      result.reads++;
      const wrong = wrongIn({ member, version, start }, demands[index]);
      if (wrong === undefined) continue;
      result[wrong.kind]++;
      if (result.examples.length < 5) {
        result.examples.push(
          `${keys[index]} in member ${member} at ${Math.round(start)} ms: version ${version}, ${wrong.why}`,
        );
      }
    }
  }
  return result;
}

/** See load.mjs. */
const NOTHING = -1;

function wrongIn({ member, version, start }, changes) {
  if (version === NOTHING) return { kind: 'nothing', why: 'that is none' };
  if (version < 0) return { kind: 'foreign', why: 'which is no version of this key' };
  for (const change of changes) {
    if (change.version <= version) continue;
    if (change.member === member && change.time < start) {
      return {
        kind: 'ownStale',
        why: `but this process had written ${change.version} at ${Math.round(change.time)} ms`,
      };
    }
    if (change.everywhere < start) {
      return { kind: 'stale', why: `but ${change.version} was written at ${Math.round(change.time)} ms` };
    }
  }
  return undefined;
}

/** The first moment, `bound` after `time`, before which no line was broken for as long. `faults` are in their order. */
function wholeSince(time, faults, bound) {
  let since = time;
  for (const { start, end } of faults) if (start < since + bound && end > since) since = end;
  return since + bound;
}
