/** A decoded value that many callers will get: how it is handed out so that law 8 holds. */
import type { ReadMode } from '../../index';
import type { Codec } from './codec';
import { copyAny, copyJson } from './copy';
import { copyByPlan, planCopy, type CopyPlan } from './copy-plan';
import { deepFreeze, isShallowJson, traitsOf } from './freeze';

const enum HandOut {
  Itself,
  JsonCopy,
  AnyCopy,
  /** Kept as its text, see {@link KeptValue.ofText}. */
  Text,
}

export class KeptValue {
  /** Made for the second copy: most values are never read again. */
  private plan: CopyPlan | undefined;
  private wasCopied = false;

  private constructor(
    private value: unknown,
    private handOut: HandOut,
    /** Of a value that is kept as its text. */
    private readonly codec?: Codec,
  ) {}

  /**
   * The JSON text of an object, for callers who get copies. What was just loaded is mostly not read again, at least not soon: a
   * text is one object for the garbage collector to carry on, where the value would be twenty. The first caller gets what is
   * decoded of it; the second decodes it for those who come behind him.
   */
  static ofText(text: string, codec: Codec): KeptValue {
    return new KeptValue(text, HandOut.Text, codec);
  }

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
    if (this.handOut === HandOut.Text) return this.takeOfText(this.value as string);
    if (this.wasCopied) this.plan = planCopy(this.value as object);
    this.wasCopied = true;
    return copyJson(this.value);
  }

  private takeOfText(text: string): unknown {
    const value = this.codec!.decodeText(text);
    const isFirst = !this.wasCopied;
    this.wasCopied = true;
    if (isFirst || !isShallowJson(value, text.length)) return value;
    this.value = value;
    this.handOut = HandOut.JsonCopy;
    return copyJson(value);
  }
}
