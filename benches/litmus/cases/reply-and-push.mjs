/** A reply with the old value, and behind it in the same chunk the push that says that it is old. */
import { Unforced } from '../runner/member.mjs';
import { mentions, reads } from '../runner/matches.mjs';

export const replyAndPush = [
  {
    name: 'reply-and-push-in-one-chunk',
    title: 'The reply to a read and the push that invalidates it come in one chunk',
    law: 1,
    needs: ['tracking'],
    async repeat(arena, key) {
      const [a, b] = arena.members;
      await arena.inRedisOnly(key, 'old', b, a);
      const answer = a.proxy.hold('reply', reads(key));
      const read = a.get(key);
      await arena.caught(answer, read);
      const told = a.proxy.hold('push', mentions(key), { every: true });
      await b.delete(key);
      await arena.caught(told);
      // A bus of its own may be told, too: what counts is the push behind the reply.
      const isBehind = await arena.becomes(() => told.isBehind(answer), 100);
      told.release();
      answer.release();
      await read;
      if (!isBehind) throw new Unforced('the push does not come on the connection of the reply');
      return arena.forgotten(key);
    },
  },
];
