/** Deletion by pattern: what may be a pattern, and the answers of a request that goes on for a while. */
import type { DeletePatternOptions } from '../../index';
import type { Answer } from './answer';
import type { Waiting } from './completions';
import { InvalidArgumentError, type TurboCacheError } from './errors';
import { Status } from './native';
import { ARGUMENT, checkNames, integer, refuse, show } from './option-check';
import { Reply } from './reply';
import { isWellFormed } from './text';

const EXPECTED = "a non-empty string without lone surrogates, e.g. 'user:*'";
/** As `options::pattern::BATCH_MAX` in Rust. */
const MOST_BATCH = 10_000;

/** As `Pattern::escape` in src/pattern.rs. */
export function escapePattern(text: string): string {
  if (typeof text !== 'string') refuse(ARGUMENT, 'text', text, 'a string');
  return text.replace(/[*?[\]^\-\\]/g, '\\$&');
}

/** Throws an `InvalidArgumentError`. What a pattern means is the engine's affair. */
export function checkPattern(pattern: unknown): asserts pattern is string {
  if (typeof pattern === 'string' && pattern !== '' && isWellFormed(pattern)) return;
  const message = `The pattern is ${show(pattern)}; expected ${EXPECTED}.`;
  throw new InvalidArgumentError('E_TURBOCACHE_ARGUMENT', message, {
    option: 'pattern',
    got: pattern,
    expected: EXPECTED,
  });
}

export interface PatternSettings {
  /** 0 = the engine's default. */
  readonly batch: number;
  readonly onProgress: DeletePatternOptions['onProgress'];
}

export function checkPatternOptions(input: DeletePatternOptions | undefined): PatternSettings {
  const { batch, onProgress } = checkNames<DeletePatternOptions>(ARGUMENT, '', input ?? {}, ['batch', 'onProgress']);
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    refuse(ARGUMENT, 'onProgress', onProgress, 'a function');
  }
  return { batch: batch === undefined ? 0 : integer(ARGUMENT, 'batch', batch, 1, MOST_BATCH), onProgress };
}

/** Waits for the end of a deletion, and is told how far it is. What `onProgress` throws is the caller's failure. */
export class PatternReply implements Waiting {
  constructor(
    private readonly end: Reply<number>,
    private readonly onProgress: PatternSettings['onProgress'],
    private readonly reject: (error: unknown) => void,
  ) {}

  progress(answer: Answer): void {
    const value = answer.value();
    try {
      this.onProgress?.({ scanned: value.readDoubleLE(0), deleted: value.readDoubleLE(8) });
    } catch (error) {
      this.reject(error);
    }
  }

  settle(answer: Answer): void {
    this.end.settle(answer);
  }

  abandon(error: TurboCacheError): void {
    this.end.abandon(error);
  }
}

/** The number of removed values. */
export function deletedIn(answer: Answer): number {
  return answer.status === Status.Done ? answer.value().readDoubleLE(8) : 0;
}
