/**
 * Law 1: Redis has answered a read with the old value, but the answer is still on its way while the key changes. The caller
 * may get it; nobody may keep it.
 */
import { mentions, reads } from '../runner/matches.mjs';

const racing = (name, title, change, race) => ({
  name: `read-racing-change/${name}`,
  title,
  law: 1,
  async repeat(arena, key) {
    const [a, b] = arena.members;
    await arena.inRedisOnly(key, 'old', b, a);
    const answer = a.proxy.hold('reply', reads(key));
    const read = a.get(key);
    await arena.caught(answer, read);
    const told = arena.hasBus ? a.proxy.hold('push', mentions(key), { every: true }) : undefined;
    await change(b, key);
    if (told !== undefined) await arena.caught(told);
    const order = race === 'told first' ? [told, answer] : [answer, told];
    order[0]?.release();
    if (race === 'told last') await read;
    order[1]?.release();
    await read;
    return arena.forgotten(key);
  },
});

const remove = (b, key) => b.delete(key);
const overwrite = (b, key) => b.set(key, 'new');

export const readRacingChange = [
  racing(
    'delete-told-first',
    'A read of Redis races a delete; the message comes before the answer',
    remove,
    'told first',
  ),
  racing('delete-told-last', 'A read of Redis races a delete; the message comes after the answer', remove, 'told last'),
  racing('set-told-first', 'A read of Redis races a set; the message comes before the answer', overwrite, 'told first'),
  racing('set-told-last', 'A read of Redis races a set; the message comes after the answer', overwrite, 'told last'),
];
