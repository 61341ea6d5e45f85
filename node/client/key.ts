/** Keys and namespace names: what may be one, and how names become a path. */
import { ConfigurationError, InvalidArgumentError, LimitError } from './errors';
import { show } from './option-check';
import { isWellFormed } from './text';

const KEY_EXPECTED = 'a non-empty string without lone surrogates';

/** Throws an `InvalidArgumentError`, or a `LimitError` for a key that is too long. */
export function checkKey(key: unknown, maxKeyBytes: number): asserts key is string {
  if (typeof key !== 'string' || key === '' || !isWellFormed(key)) {
    const got = typeof key === 'string' && key !== '' ? 'a string with a lone surrogate' : show(key);
    throw new InvalidArgumentError('E_TURBOCACHE_ARGUMENT', `The key is ${got}; expected ${KEY_EXPECTED}.`, {
      option: 'key',
      got: key,
      expected: KEY_EXPECTED,
    });
  }
  // No UTF-16 unit needs more than three bytes, so that nearly every key is known to fit without counting.
  if (key.length * 3 > maxKeyBytes) checkLength(key, maxKeyBytes);
}

function checkLength(key: string, maxKeyBytes: number): void {
  const bytes = Buffer.byteLength(key);
  if (bytes <= maxKeyBytes) return;
  const start = key.slice(0, 40);
  throw new LimitError(
    'E_TURBOCACHE_KEY_TOO_LONG',
    `The key '${start}…' has ${bytes} bytes; expected at most ${maxKeyBytes} (maxKeyBytes).`,
    {
      option: 'key',
      got: bytes,
      expected: `at most ${maxKeyBytes} bytes`,
    },
  );
}

const MOST_NAME_BYTES = 256;
const NAME_EXPECTED = `a name of 1 to ${MOST_NAME_BYTES} bytes`;

// `/` separates levels; `:`, `{` and `}` have a meaning in Redis keys; `@` separates the version. As `escape_level` in src/key.rs.
// eslint-disable-next-line no-control-regex -- control characters are what is meant
const SPECIAL = /[%/:{}@\u0000-\u001f\u007f]/g;

/** A name of a namespace, escaped so that different nestings give different paths. Throws a `ConfigurationError`. */
export function escapeName(option: string, name: unknown): string {
  if (typeof name !== 'string' || name === '' || !isWellFormed(name) || Buffer.byteLength(name) > MOST_NAME_BYTES) {
    throw new ConfigurationError('E_TURBOCACHE_OPTION', `The ${option} is ${show(name)}; expected ${NAME_EXPECTED}.`, {
      option,
      got: name,
      expected: NAME_EXPECTED,
    });
  }
  return name.replace(SPECIAL, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

/** The path of a name below a path. */
export function joinPath(parent: string, name: string): string {
  return parent === '' ? name : `${parent}/${name}`;
}
