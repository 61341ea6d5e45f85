/** Events of `@nestjs/event-emitter`: finds the rules, and listens. */
import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import { ConfigurationError } from '../client';
import { loadPeer } from '../peer/load-peer';
import { TurboCacheEvents } from './events';
import { CHECKED_OPTIONS } from './events.tokens';
import type { CheckedEventsOptions } from './events-options';
import { rulesOn } from './evict-on';
import type { CompiledRule } from './rule';

/** What is used of `EventEmitter2`. */
interface Emitter {
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
}
/** `this.event` is the name that was emitted, where `event` may have been a pattern. */
type Listener = (this: { event?: string | readonly string[] }, payload: unknown) => Promise<void>;

@Injectable()
export class EmitterListener implements OnModuleInit, OnModuleDestroy {
  readonly #listening: { readonly event: string; readonly listener: Listener }[] = [];
  #emitter: Emitter | undefined;

  constructor(
    @Inject(CHECKED_OPTIONS) private readonly options: CheckedEventsOptions,
    @Inject(TurboCacheEvents) private readonly events: TurboCacheEvents,
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
  ) {}

  onModuleInit(): void {
    const rules = this.#rules();
    if (rules.size === 0) return;
    this.#emitter = this.#find();
    for (const [event, ofEvent] of rules) this.#listen(this.#emitter, event, ofEvent);
  }

  async onModuleDestroy(): Promise<void> {
    for (const { event, listener } of this.#listening) this.#emitter?.off(event, listener);
    await this.events.settled();
  }

  #listen(emitter: Emitter, event: string, rules: readonly CompiledRule[]): void {
    for (const rule of rules) this.events.check(event, rule);
    const { events } = this;
    // A promise, so that `emitAsync` waits until the entries are gone.
    const listener: Listener = function (payload) {
      const name = this.event ?? event;
      return events.apply({ event: typeof name === 'string' ? name : name.join('.'), payload }, rules);
    };
    emitter.on(event, listener);
    this.#listening.push({ event, listener });
  }

  /** A class that several modules provide, or that others extend, is one set of rules. */
  #rules(): Map<string, CompiledRule[]> {
    const rules = new Map([...this.options.events].map(([event, ofEvent]) => [event, [...ofEvent]]));
    const seen = new Set<object>();
    for (const { metatype } of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      let level: unknown = typeof metatype === 'function' ? metatype.prototype : undefined;
      while (typeof level === 'object' && level !== null && !seen.has(level)) {
        seen.add(level);
        for (const { event, rule } of rulesOn(level)) rules.set(event, [...(rules.get(event) ?? []), rule]);
        level = Object.getPrototypeOf(level);
      }
    }
    return rules;
  }

  #find(): Emitter {
    const feature = 'TurboCacheEventsModule with `events` or @TurboCacheEvictOn';
    const { EventEmitter2 } = loadPeer<{ EventEmitter2: new () => Emitter }>({
      name: '@nestjs/event-emitter',
      feature,
    });
    try {
      return this.moduleRef.get(EventEmitter2, { strict: false });
    } catch (cause) {
      const expected = 'EventEmitterModule.forRoot() among the imports of the application';
      throw new ConfigurationError(
        'E_TURBOCACHE_OPTION',
        `${feature}: this application has no EventEmitter2; expected ${expected}.`,
        { option: 'events', expected, cause },
      );
    }
  }
}
