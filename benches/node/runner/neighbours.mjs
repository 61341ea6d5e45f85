import { existsSync, readFileSync } from 'node:fs';

/** Share of the machine that other processes may take while a scenario is measured. */
export const LARGEST_DISTURBANCE = 0.15;

/**
 * How much of the machine's CPU time went to processes that are not ours since this was made, stolen time of a virtual
 * machine included: the load average lags by a minute, and even rounds do not show a neighbour who never pauses.
 * Linux only; elsewhere the answer is 0, and load and spread must do.
 */
export function watchNeighbours(pids) {
  if (process.platform !== 'linux') return () => 0;
  const all = [process.pid, ...pids];
  const before = { machine: machineTicks(), own: ticksOf(all) };
  return () => {
    const { busy, total } = machineTicks();
    const own = ticksOf(all) - before.own;
    return Math.max(0, busy - before.machine.busy - own) / (total - before.machine.total);
  };
}

/** Without interrupts: those of our own sockets are nobody's. */
function machineTicks() {
  const [user, nice, system, idle, waiting, , , stolen] = readFileSync('/proc/stat', 'utf8')
    .match(/^cpu +(.*)$/m)[1]
    .split(' ')
    .map(Number);
  const busy = user + nice + system + stolen;
  return { busy, total: busy + idle + waiting };
}

/** User and system time of the processes and of their children that have ended: one that dies is counted by its parent. */
function ticksOf(pids) {
  return pids.reduce((sum, pid) => {
    if (!existsSync(`/proc/${pid}/stat`)) return sum;
    const [, ...fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
    return sum + fields.slice(10, 14).reduce((ticks, field) => ticks + Number(field), 0);
  }, 0);
}
