/**
 * The package against its peers, in one process and in alternating rounds, so that heat and garbage hit all alike.
 * Prints medians. `ROUNDS=…` changes the number of rounds.
 */
import { hit } from './hit.mjs';
import { compare } from './rounds.mjs';

for (const scenario of [hit]) await compare(scenario, Number(process.env.ROUNDS ?? 15));
