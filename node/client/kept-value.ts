/** A decoded value that many callers will get: how it is handed out so that law 8 holds. */
import type { ReadMode } from '../../index';
import { copyAny, copyJson } from './copy';
import { copyByPlan, planCopy, type CopyPlan } from './copy-plan';
import { deepFreeze, isShallowJson, traitsOf } from './freeze';

const enum HandOut {
  Itself,
  JsonCopy,
  AnyCopy,
}

export class KeptValue {
  /** Made for the second copy: most values are never read again. */
  private plan: CopyPlan | undefined;
  private wasCopied = false;

  private constructor(
    private readonly value: unknown,
    private readonly handOut: HandOut,
  ) {}

  /**
   * Takes ownership of a freshly decoded value. `undefined` when it cannot be handed out twice without danger: then every
   * caller has to decode it anew.
   */
  static of(value: unknown, reads: ReadMode, isJson: boolean, bytes: number): KeptValue | undefined {
    if (reads === 'shared' || typeof value !== 'object' || value === null) return new KeptValue(value, HandOut.Itself);
    if (isJson) {
      if (!isShallowJson(value, bytes)) return undefined;
      if (reads === 'copy') return new KeptValue(value, HandOut.JsonCopy);
      deepFreeze(value);
      return new KeptValue(value, HandOut.Itself);
    }
    const traits = traitsOf(value);
    if (traits === 'opaque') return undefined;
    if (reads === 'copy' || traits === 'copyable') return new KeptValue(value, HandOut.AnyCopy);
    deepFreeze(value);
    return new KeptValue(value, HandOut.Itself);
  }

  take(): unknown {
    if (this.handOut === HandOut.Itself) return this.value;
    if (this.handOut === HandOut.AnyCopy) return copyAny(this.value);
    if (this.plan !== undefined) return copyByPlan(this.value as object, this.plan);
    if (this.wasCopied) this.plan = planCopy(this.value as object);
    this.wasCopied = true;
    return copyJson(this.value);
  }
}
