/** Two deletes and a set by three processes reach Redis in every order; afterwards all must agree with Redis. */
import { mentions } from '../runner/matches.mjs';

const ORDERS = ['ABC', 'ACB', 'BAC', 'BCA', 'CAB', 'CBA'];

export const orders = ORDERS.map((order) => ({
  name: `two-deletes-and-a-set/${order}`,
  title: `A and B delete, C sets; Redis sees them in the order ${order}`,
  law: 1,
  arena: { members: 3 },
  async repeat(arena, key) {
    const [a, b, c] = arena.members;
    await arena.held(key, 'old');
    const held = [a, b, c].map(({ proxy }) => proxy.hold('request', mentions(key)));
    const calls = [a.delete(key), b.delete(key), c.set(key, 'set')];
    for (const [index, fault] of held.entries()) await arena.caught(fault, calls[index]);
    for (const name of order) {
      const index = 'ABC'.indexOf(name);
      held[index].release();
      await calls[index];
    }
    const expected = order.endsWith('C') ? 'set' : undefined;
    return arena.agree(key, (value) => (value ?? undefined) === expected);
  },
}));
