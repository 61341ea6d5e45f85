/** Time in which this process was running: what a busy machine keeps it waiting counts a tick each time, however long it was. */
const TICK = 5;

export interface TimeAwake {
  /** Milliseconds so far; it goes on no longer. */
  stop(): number;
}

export function startTimeAwake(): TimeAwake {
  let awake = 0;
  let last = performance.now();
  const count = (): void => {
    const now = performance.now();
    awake += Math.min(now - last, 4 * TICK);
    last = now;
  };
  const timer = setInterval(count, TICK);
  return {
    stop: () => {
      clearInterval(timer);
      count();
      return awake;
    },
  };
}
