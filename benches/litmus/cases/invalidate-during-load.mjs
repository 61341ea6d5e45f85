/** Law 2: what was loaded before an invalidation is kept nowhere, neither in memory nor in Redis. */
import { setTimeout as sleep } from 'node:timers/promises';
import { mentions } from '../runner/matches.mjs';

/** `invalidate` is acknowledged while a loader of A runs; then the loader answers what it had read before. */
const during = (name, how, invalidate, more = {}) => ({
  name: `invalidate-during-load/${name}`,
  title: `A key is invalidated ${how} while its loader runs`,
  law: 2,
  ...more,
  async repeat(arena, key) {
    const [a, b] = arena.members;
    const load = await a.loading(key, more.arena?.tags ? { tags: [key] } : undefined);
    await invalidate({ a, b, key });
    load.finish('old');
    await load.result; // who joined before may have it
    const loadsAnew = async () => (await a.loadNow(key, 'new')).value === 'new';
    if (!(await arena.becomes(loadsAnew))) return `${a.name} goes on giving what was loaded before`;
    return arena.forgotten(key);
  },
});

/** The same with a load that nobody waits for. */
const duringRefresh = (name, how, invalidate) => ({
  name: `invalidate-during-load/refresh-${name}`,
  title: `A key is invalidated ${how} while it is refreshed in the background`,
  law: 2,
  needs: ['refresh'],
  async repeat(arena, key) {
    const [a, b] = arena.members;
    await a.call(arena.system.fillsForRefresh ?? 'set', key, 'old');
    const load = await a.refreshing(key);
    await invalidate({ a, b, key });
    const stored = a.proxy.hold('reply', mentions(key));
    load.finish('old');
    // Until the attempt to store it has been answered, or there was none.
    await Promise.race([stored.caught, sleep(100)]);
    stored.release();
    await load.result;
    return arena.forgotten(key);
  },
});

const here = ({ a, key }) => a.delete(key);
const elsewhere = ({ b, key }) => b.delete(key);

export const invalidateDuringLoad = [
  during('same-process', 'by a delete in the same process', here),
  during('other-process', 'by a delete in another process', elsewhere),
  during('tag', 'by its tag in another process', ({ b, key }) => b.invalidateTag(key), {
    needs: ['tags'],
    arena: { tags: true },
  }),
  duringRefresh('same-process', 'by a delete in the same process', here),
  duringRefresh('other-process', 'by a delete in another process', elsewhere),
];
