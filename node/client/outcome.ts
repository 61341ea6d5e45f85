/** What callers of a load get: each caller takes for itself, so that each has a value of its own (law 8). */
import type { Codec, Encoded } from './codec';
import { decodeOwn } from './codec';

export interface Outcome {
  /** Throws the loader's error. */
  take(): unknown;
}

/** The loader gave `undefined`. */
export const NOTHING: Outcome = { take: () => undefined };

/** A value that cannot be handed out twice: every caller decodes it. */
export function decodedOutcome(codec: Codec, key: string, encoded: Encoded): Outcome {
  return { take: () => decodeOwn(codec, key, encoded) };
}

export function errorOutcome(error: unknown): Outcome {
  return {
    take: () => {
      throw error;
    },
  };
}
