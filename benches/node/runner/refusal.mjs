/** When figures may not be compared. Each reason is a sentence; an empty list allows the comparison. */
import { isTooLoaded } from './machine.mjs';
import { LARGEST_DISTURBANCE } from './neighbours.mjs';

/** Median absolute deviation over median above which a figure says more about the machine than about the cache. */
export const LARGEST_SPREAD = 0.25;

/** How much of a bound the machine alone may take. */
export const LARGEST_FLOOR = 0.5;

/** Reasons that hold for the whole run. */
export function runRefusals({ machine, versionFaults }) {
  if (!isTooLoaded(machine)) return versionFaults;
  return [...versionFaults, `load average ${machine.load[0]} on ${machine.cores} cores: too loaded to measure`];
}

/** Reasons not to use this contestant's figure. */
export function figureRefusals(contestant, figure) {
  const reasons = contestantRefusals(contestant);
  return reasons.length > 0 ? reasons : spreadRefusals(contestant, figure);
}

/** Reasons not to hold a figure to its bound: `floor` is what the machine takes of it without any cache. */
export function floorRefusals(floor, { figure, atMost }) {
  if (floor === undefined) return [];
  const { worst } = floor.figures[figure];
  if (worst <= LARGEST_FLOOR * atMost) return [];
  return [
    `${floor.name}: up to ${percent(worst / atMost)} of the bound of ${figure}, at most ${percent(LARGEST_FLOOR)} may be`,
  ];
}

/** Reasons not to use any figure of this contestant. */
export function contestantRefusals({ name, fault, disturbed = 0 }) {
  if (fault !== undefined) return [`${name} ${fault.split('\n')[0]}`];
  if (disturbed <= LARGEST_DISTURBANCE) return [];
  return [`other processes took ${percent(disturbed)} of the machine, the bound is ${percent(LARGEST_DISTURBANCE)}`];
}

function spreadRefusals({ name, figures }, figure) {
  const { spread } = figures[figure];
  if (spread <= LARGEST_SPREAD) return [];
  return [`the rounds of ${name} spread by ${percent(spread)}, the bound is ${percent(LARGEST_SPREAD)}`];
}

const percent = (fraction) => `${Math.round(fraction * 100)} %`;
