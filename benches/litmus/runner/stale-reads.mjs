/** Reads keys in a member as fast as it can, and finds reads of old values that began too late. */

/**
 * Sentences, one a key, `undefined` where nothing is wrong. `changed` says for each key when its change was acknowledged:
 * `process.hrtime` counts from one origin in all processes of a machine.
 */
export async function staleReads(member, keys, { changed, within, old = 'old' }) {
  const last = changed.reduce((latest, time) => (time > latest ? time : latest));
  const until = last + BigInt(within + AFTERWARDS) * 1_000_000n;
  const lateness = await member.run(watch, keys, { changed, until, old });
  return lateness.map((late) => {
    if (late <= within) return undefined;
    return `${member.name} still read the old value ${Math.round(late)} ms after its change`;
  });
}

/** Goes on for so long behind the bound. */
const AFTERWARDS = 200;

/** Runs in the member: for each key the milliseconds between its change and the last read that began after it and gave the old value. */
async function watch({ cache }, keys, { changed, until, old }) {
  const late = keys.map(() => 0);
  const over = new Promise((resolve) => setTimeout(resolve, Number(until - process.hrtime.bigint()) / 1e6));
  const reader = async (key, index) => {
    for (let start = process.hrtime.bigint(); start < until; start = process.hrtime.bigint()) {
      // A read that is not answered gives nothing old.
      const value = await Promise.race([cache.get(key).catch(() => undefined), over]);
      if (value === old) late[index] = Number(start - changed[index]) / 1e6;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await Promise.all(keys.map(reader));
  return late;
}
