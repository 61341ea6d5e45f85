/** Calls in a member whose answers must come in time and be right, whatever Redis does. */

/**
 * `get` and `getOrSet` of each key, again and again for `milliseconds`, a pause between two rounds. Sentences, one a key,
 * `undefined` where nothing is wrong. A read may give nothing; it may not give what is old, or another key's value.
 */
export async function callsInTime(member, keys, { milliseconds, deadline, old = null, pause = 50 }) {
  return member.runFor(milliseconds + 15_000, call, keys, { milliseconds, deadline, old, pause });
}

/** Runs in the member. Values are the keys themselves. */
async function call({ cache }, keys, { milliseconds, deadline, old, pause }) {
  const end = performance.now() + milliseconds;
  const LATE = Symbol('late');
  const inTime = async (promise) => {
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, deadline, LATE)));
    const answer = await Promise.race([promise, late]);
    clearTimeout(timer);
    return answer;
  };
  const wrongIn = async (key) => {
    const found = await inTime(cache.get(key).catch((error) => `an error: ${error.message}`));
    if (found === LATE) return `get was not answered within ${deadline} ms`;
    if (old !== null && found === old) return 'get gave the old value';
    if (found != null && found !== key) return `get gave ${JSON.stringify(found)}`;
    const loaded = await inTime(cache.getOrSet(key, async () => key).catch((error) => `an error: ${error.message}`));
    if (loaded === LATE) return `getOrSet was not answered within ${deadline} ms`;
    return loaded === key ? undefined : `getOrSet gave ${JSON.stringify(loaded)}`;
  };
  const follow = async (key) => {
    do {
      const wrong = await wrongIn(key);
      if (wrong !== undefined) return wrong;
      await new Promise((resolve) => setTimeout(resolve, pause));
    } while (performance.now() < end);
    return undefined;
  };
  return Promise.all(keys.map(follow));
}
