/** Options of the module. */
import { ConfigurableModuleBuilder } from '@nestjs/common';
import { ConfigurationError } from '../client';
import { checkObject } from '../module/check-options';
import { type CacheNames, compileRule, type CompiledRule, type EvictionRule, type MessageRules } from './rule';
import { isStreamClient, type StreamClient } from './stream-reader';
import { type ChannelSubscriber, isSubscriber } from './subscriber';

/** Rules by the name of an event; a text is the template of a key. */
export type EventRules = Readonly<Record<string, string | EvictionRule | readonly EvictionRule[]>>;

export interface ChannelRules {
  /** A connection of ioredis, iovalkey or `redis`, used for subscriptions only. It stays yours. */
  subscriber: ChannelSubscriber;
  /**
   * Rules by channel. The message is JSON, and the payload of the rules. `'eviction'`: the message itself says what to drop,
   * `{ "keys": ["user:1"], "tags": ["users"], "all": false, "cache": "users" }`.
   */
  on: Readonly<Record<string, 'eviction' | EvictionRule | readonly EvictionRule[]>>;
  /**
   * Names of caches and managers that an `'eviction'` message may speak of, besides the default manager. Where there is no default
   * manager, every message names one of them.
   * @default []
   */
  caches?: readonly string[];
  /**
   * What was said while the connection was lost is unknown. `keep`: entries live until their ttl. `clear`: the caches that the
   * rules name are cleared when the connection is back.
   * @default 'keep'
   */
  afterGap?: 'keep' | 'clear';
}

export interface StreamRules {
  /** A connection of ioredis, iovalkey or `redis`, used for nothing else: it waits for entries. It stays yours. */
  client: StreamClient;
  /**
   * Rules by stream. The payload is the JSON in `field`; an entry without that field is the payload itself, its values are texts.
   * `'eviction'`: the payload says what to drop, as on channels.
   */
  on: ChannelRules['on'];
  /** @default 'payload' */
  field?: string;
  /** Names of caches and managers that an `'eviction'` entry may speak of, as on channels. @default [] */
  caches?: readonly string[];
}

export interface TurboCacheEventsOptions {
  /** Events of `@nestjs/event-emitter`. Beside these, every `@TurboCacheEvictOn` counts. */
  events?: EventRules;
  /** Messages on channels of a Redis of yours. */
  channels?: ChannelRules;
  /** Entries of streams in a Redis of yours, read from the start of the application on. */
  streams?: StreamRules;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<TurboCacheEventsOptions>({ moduleName: 'TurboCacheEvents' })
    .setClassMethodName('forRoot')
    .build();

const WHERE = 'TurboCacheEventsModule';

/** The rules of the options, compiled. Wrong ones are errors when the application starts. */
export interface CheckedEventsOptions {
  readonly events: ReadonlyMap<string, readonly CompiledRule[]>;
  readonly channels: CheckedChannels | undefined;
  readonly streams: CheckedStreams | undefined;
}

export interface CheckedStreams extends Pick<CheckedChannels, 'on' | 'caches'> {
  readonly client: StreamClient;
  readonly field: string;
}

export interface CheckedChannels {
  readonly subscriber: ChannelSubscriber;
  readonly on: ReadonlyMap<string, MessageRules>;
  readonly caches: CacheNames;
  readonly afterGap: 'keep' | 'clear';
}

export function checkEventsOptions(options: TurboCacheEventsOptions): CheckedEventsOptions {
  checkObject(WHERE, 'options', options);
  const { events = {}, channels, streams, ...unknown } = options;
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw wrong(name, name, '`events`, `channels` or `streams`');
  checkObject(WHERE, 'events', events);
  if (channels !== undefined) checkObject(WHERE, 'channels', channels);
  if (streams !== undefined) checkObject(WHERE, 'streams', streams);
  return {
    events: new Map(Object.entries(events).map(([event, rules]) => [event, compileAll(rules, 'events', event)])),
    channels: channels === undefined ? undefined : checkChannels(channels),
    streams: streams === undefined ? undefined : checkStreams(streams),
  };
}

function checkChannels({ subscriber, on, caches = [], afterGap = 'keep', ...unknown }: ChannelRules): CheckedChannels {
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw wrong(`channels.${name}`, name, '`subscriber`, `on`, `caches` or `afterGap`');
  if (!isSubscriber(subscriber)) {
    throw wrong('channels.subscriber', typeof subscriber, 'a connection of ioredis, iovalkey or redis');
  }
  if (!['keep', 'clear'].includes(afterGap)) throw wrong('channels.afterGap', afterGap, "'keep' or 'clear'");
  return { subscriber, on: checkRules(on, 'channels'), caches: new Set(caches), afterGap };
}

function checkStreams({ client, on, field = 'payload', caches = [], ...unknown }: StreamRules): CheckedStreams {
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw wrong(`streams.${name}`, name, '`client`, `on`, `field` or `caches`');
  if (!isStreamClient(client)) {
    throw wrong('streams.client', typeof client, 'a connection of ioredis, iovalkey or redis');
  }
  if (typeof field !== 'string' || field === '') throw wrong('streams.field', field, 'the name of a field');
  return { client, on: checkRules(on, 'streams'), field, caches: new Set(caches) };
}

function checkRules(on: ChannelRules['on'], option: 'channels' | 'streams'): CheckedChannels['on'] {
  const rules = Object.entries(checkObject(WHERE, `${option}.on`, on) as ChannelRules['on']);
  if (rules.length === 0) throw wrong(`${option}.on`, on, `rules for at least one ${option.slice(0, -1)}`);
  return new Map(rules.map(([name, rule]) => [name, rule === 'eviction' ? rule : compileAll(rule, option, name)]));
}

function compileAll(
  rules: string | EvictionRule | readonly EvictionRule[],
  option: 'events' | 'channels' | 'streams',
  name: string,
): readonly CompiledRule[] {
  const list = typeof rules === 'string' ? [{ key: rules }] : isList(rules) ? rules : [rules];
  return list.map((rule) => compileRule(rule, { decorator: WHERE, className: option, methodName: name }));
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}

function wrong(option: string, got: unknown, expected: string): ConfigurationError {
  return new ConfigurationError(
    'E_TURBOCACHE_OPTION',
    `${WHERE}: option "${option}" is ${typeof got === 'string' ? `"${got}"` : typeof got}; expected ${expected}.`,
    { option, got, expected },
  );
}
