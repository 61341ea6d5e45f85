/** Loaders that do what loaders should not do, and what a caller does with what he got. */
import { DEADLINE } from '../runner/arena.mjs';

/** The limit for the loader that hangs. */
const HARD_TIMEOUT = 200;
/** After this time another caller loads by himself: the documented default is 10 s. */
const LOCK_TIMEOUT = 10_000 + DEADLINE;

const hangs = {
  name: 'loaders/hangs-for-ever',
  title: 'A loader never answers: its caller, and one in another process, are answered all the same',
  law: 6,
  needs: ['hardTimeout'],
  batch: 100,
  async repeat(arena, keys) {
    const [a, b] = arena.members;
    return Promise.all(
      keys.map(async (key) => {
        const start = performance.now();
        const load = await a.loading(key, { hardTimeout: HARD_TIMEOUT });
        const ending = await load.result.then(String, () => 'an error');
        const waited = performance.now() - start;
        if (ending !== 'an error') return `the caller got ${ending}`;
        if (waited > HARD_TIMEOUT + DEADLINE) return `the caller waited for ${Math.round(waited)} ms`;
        const again = performance.now();
        const { value } = await b.loadNow(key, 'new');
        const waitedThere = performance.now() - again;
        load.finish('late');
        if (value !== 'new') return `another process got ${JSON.stringify(value)}`;
        return waitedThere > LOCK_TIMEOUT ? `another process waited for ${Math.round(waitedThere)} ms` : undefined;
      }),
    );
  },
};

const callsItself = {
  name: 'loaders/calls-itself',
  title: 'A loader asks for the key that it is loading',
  law: 6,
  async repeat(arena, key) {
    const { inner, outer } = await arena.members[0].run(
      async ({ cache }, key, limit) => {
        const ended = (call) =>
          call.then(
            () => 'a value',
            () => 'an error',
          );
        let inner = 'no answer';
        const loader = async () => {
          const call = cache.getOrSet(key, async () => 'inner');
          // Longer than a turn of the event loop takes whoever asks somebody, or waits for something.
          inner = await Promise.race([ended(call), new Promise((resolve) => setImmediate(resolve, 'nothing at once'))]);
          return call;
        };
        const late = new Promise((resolve) => setTimeout(resolve, limit, 'no answer'));
        const outer = await Promise.race([ended(cache.getOrSet(key, loader)), late]);
        return { inner, outer };
      },
      key,
      DEADLINE,
    );
    if (outer === 'no answer') return `the call was not answered within ${DEADLINE} ms`;
    if (!arena.system.failsAtOnce || (inner === 'an error' && outer === inner)) return undefined;
    return `the loader got ${inner}, and its caller ${outer}: it should have failed at once`;
  },
};

const nullIsAValue = {
  name: 'loaders/null-is-a-value',
  title: 'A loader answers null: that is kept, and not loaded again',
  law: 7,
  async repeat(arena, key) {
    const [a, b] = arena.members;
    await a.loadNow(key, null);
    for (const member of [a, b]) {
      const { value, isCalled } = await member.loadNow(key, 'again');
      if (isCalled || value !== null) return `${member.name} loaded again and got ${JSON.stringify(value)}`;
    }
    return undefined;
  },
};

const notShared = {
  name: 'values/not-shared',
  title: 'A caller changes what he got, or what he stored; others must not see it',
  law: 8,
  async repeat(arena, key) {
    const seen = await arena.members[0].run(async ({ cache }, key) => {
      const stored = { list: [1] };
      await cache.set(key, stored);
      stored.list.push('changed after set');
      const first = await cache.get(key);
      first?.list.push('changed after get');
      const loaded = await cache.getOrSet(key, async () => ({ list: [1] }));
      loaded.list.push('changed after getOrSet');
      const fresh = await cache.getOrSet(`${key}2`, async () => ({ list: [1] }));
      fresh.list.push('changed after a load');
      return [await cache.get(key), await cache.get(`${key}2`)].map((value) => JSON.stringify(value?.list));
    }, key);
    return seen.every((list) => list === '[1]') ? undefined : `a later read gave ${seen.join(' and ')}`;
  },
};

export const loaders = [hangs, callsItself, nullIsAValue, notShared];
