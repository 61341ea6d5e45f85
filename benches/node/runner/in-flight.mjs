import { WrongValue } from './wrong-value.mjs';

/** `lanes` callers, each of which awaits its call before it makes the next one: at most `lanes` calls in flight. */
export function inFlight(lanes, call) {
  let next = 0;
  return async (operations) => {
    const end = next + operations;
    const lane = async () => {
      while (next < end) await call(next++);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  };
}

/** One call a turn of the event loop, so that nothing can be sent together; at most 64 in flight. */
export function oneATurn(call) {
  let next = 0;
  return (operations) =>
    new Promise((resolve, reject) => {
      let begun = 0;
      let ended = 0;
      const turn = () => {
        if (begun - ended < 64) {
          begun++;
          call(next++).then(() => ++ended === operations && resolve(), reject);
        }
        if (begun < operations) setImmediate(turn);
      };
      turn();
    });
}

export function checkUser(user, id) {
  if (user?.id !== id) throw new WrongValue(`the user ${user?.id} came instead of ${id}`);
}
