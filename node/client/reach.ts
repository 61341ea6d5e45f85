/** How far an invalidation reaches and what it leaves: options of `invalidateTags` and `clear`, as flags of their requests. */
import type { ClearOptions, InvalidateTagsOptions } from '../../index';
import { RequestFlag } from './native';
import { ARGUMENT, boolean, checkNames, oneOf } from './option-check';

const MODES = ['any', 'all'] as const;

export function tagFlags(options: InvalidateTagsOptions | undefined): number {
  if (options === undefined) return 0;
  const { mode, soft } = checkNames<InvalidateTagsOptions>(ARGUMENT, 'options.', options, ['mode', 'soft']);
  const all = mode !== undefined && oneOf(ARGUMENT, 'options.mode', mode, MODES) === 'all';
  return (all ? RequestFlag.All : 0) | softFlag(soft);
}

export function clearFlags(options: ClearOptions | undefined): number {
  if (options === undefined) return 0;
  return softFlag(checkNames<ClearOptions>(ARGUMENT, 'options.', options, ['soft']).soft);
}

function softFlag(soft: unknown): number {
  return soft !== undefined && boolean(ARGUMENT, 'options.soft', soft) ? RequestFlag.Soft : 0;
}
