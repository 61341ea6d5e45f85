/** Failures that the engine reports, as errors of this package. */
import type { TurboCacheErrorCode } from '../../index';
import type { Answer } from './answer';
import {
  ClosedError,
  ConfigurationError,
  InvalidArgumentError,
  LimitError,
  LockError,
  NativeLoadError,
  RemoteError,
  TurboCacheError,
  UnsupportedError,
} from './errors';
import { NATIVE_ERRORS, Word } from './native';

type ErrorClass = typeof TurboCacheError;

const CLASSES: Partial<Record<TurboCacheErrorCode, ErrorClass>> = {
  E_TURBOCACHE_OPTION: ConfigurationError,
  E_TURBOCACHE_DURATION: ConfigurationError,
  E_TURBOCACHE_CLASH: ConfigurationError,
  E_TURBOCACHE_ARGUMENT: InvalidArgumentError,
  E_TURBOCACHE_KEY_TOO_LONG: LimitError,
  E_TURBOCACHE_VALUE_TOO_LARGE: LimitError,
  E_TURBOCACHE_REMOTE: RemoteError,
  E_TURBOCACHE_CLOSED: ClosedError,
  E_TURBOCACHE_UNSUPPORTED: UnsupportedError,
  E_TURBOCACHE_LOCK_TIMEOUT: LockError,
  E_TURBOCACHE_NATIVE: NativeLoadError,
};

/** The code of a completion of status Error. */
export function errorCodeOf(answer: Answer): TurboCacheErrorCode {
  return NATIVE_ERRORS[answer.word(Word.ErrorCode)] ?? 'E_TURBOCACHE_NATIVE';
}

/** The error of a completion of status Error. */
export function errorOf(answer: Answer): TurboCacheError {
  const code = errorCodeOf(answer);
  return new (CLASSES[code] ?? TurboCacheError)(code, answer.value().toString());
}

/** What a throwing native function meant: its `code`, and the JSON in its `message`. Anything else is returned as it is. */
export function errorFromThrown(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || !('code' in thrown)) return thrown;
  const code = thrown.code as TurboCacheErrorCode;
  const Class = CLASSES[code];
  if (Class === undefined) return thrown;
  const { message, ...details } = parse(thrown.message);
  return new Class(code, message, details);
}

/** The error that one of `clashes` describes. */
export function clashOf(json: string): TurboCacheError {
  const { message, ...details } = parse(json);
  return new ConfigurationError('E_TURBOCACHE_CLASH', message, details);
}

interface Thrown {
  message: string;
  option?: string;
  got?: unknown;
  expected?: string;
}

function parse(json: string): Thrown {
  try {
    return JSON.parse(json) as Thrown;
  } catch {
    // Not made by the engine itself, e.g. by the binding's argument conversion: then the text is the message.
    return { message: json };
  }
}
