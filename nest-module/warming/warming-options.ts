/** Options of the module. */
import { ConfigurableModuleBuilder } from '@nestjs/common';
import { ConfigurationError } from '../client';
import { checkObject } from '../module/check-options';
import type { WarmProgress } from './run';

export interface TurboCacheWarmingOptions {
  /** Calls of one warmer at the same time. @default 4 */
  concurrency?: number;
  /** Calls of all warmers at the same time, whatever `concurrency` allows each of them. @default 16 */
  maxConcurrent?: number;
  /** Calls of one warmer a second. @default no limit */
  perSecond?: number;
  /** `false`: nothing is warmed by itself; `warm()` still works. @default true */
  enabled?: boolean;
  /** Told of the progress of every run: after each call, and at its end. @default one log line at the end */
  onProgress?: (progress: WarmProgress) => void;
  /** The time that access histories are kept by; for tests. @default Date.now */
  now?: () => number;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<TurboCacheWarmingOptions>({ moduleName: 'TurboCacheWarming' })
    .setClassMethodName('forRoot')
    .build();

export const CHECKED_OPTIONS = Symbol('turbocache:warming-options');

export type CheckedWarmingOptions = Required<Omit<TurboCacheWarmingOptions, 'onProgress'>> &
  Pick<TurboCacheWarmingOptions, 'onProgress'>;

const KINDS = {
  concurrency: 'number',
  maxConcurrent: 'number',
  perSecond: 'number',
  enabled: 'boolean',
  onProgress: 'function',
  now: 'function',
};

export function checkWarmingOptions(given: TurboCacheWarmingOptions): CheckedWarmingOptions {
  checkObject('TurboCacheWarmingModule', 'options', given);
  for (const [name, value] of Object.entries(given)) {
    const kind = (KINDS as Readonly<Record<string, string>>)[name];
    if (kind === undefined) throw wrong(name, value, `one of ${Object.keys(KINDS).join(', ')}`);
    if (value !== undefined && (typeof value !== kind || (typeof value === 'number' && !(value > 0)))) {
      throw wrong(name, value, kind === 'number' ? 'a number above 0' : `a ${kind}`);
    }
  }
  return { concurrency: 4, maxConcurrent: 16, perSecond: Infinity, enabled: true, now: Date.now, ...given };
}

function wrong(option: string, got: unknown, expected: string): ConfigurationError {
  const text = typeof got === 'number' ? String(got) : typeof got;
  return new ConfigurationError(
    'E_TURBOCACHE_OPTION',
    `TurboCacheWarmingModule: option "${option}" is ${text}; expected ${expected}.`,
    { option, got, expected },
  );
}
