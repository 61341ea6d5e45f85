/** `TurboCacheWarming`: finds the warmers of the application, and runs them when they are due. */
import { EventEmitter } from 'node:events';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import { ConfigurationError } from '../client';
import { defaultsOf } from '../decorators/defaults';
import { decoratorError, type Place } from '../decorators/site';
import { renewalOf } from '../method/renewal';
import type { Method } from '../method/wrap';
import { CacheRegistry, type RegisteredCache } from '../registry/cache-registry';
import { declarationsOf } from '../registry/declarations';
import { CronJobs } from './cron';
import type { SeenCall } from './hot-keys';
import { Places } from './places';
import { type DeclaredRefresh, refreshesOf } from './refresh-ahead';
import { Refresher } from './refresher';
import { type ArgumentLists, type RunLimits, runWarmer, type WarmProgress } from './run';
import { type DeclaredWarmer, warmersOf } from './warm';
import { CHECKED_OPTIONS, type CheckedWarmingOptions } from './warming-options';

/** Everything that is there counts as due: smaller than any part of a ttl. */
const ALWAYS = 1e-9;

export interface TurboCacheWarmingEvents {
  /** After each call of a run, and at its end. A call that fails goes to the module's `onError`; the run goes on. */
  progress: [WarmProgress];
}

/** A method that is called ahead of its callers. */
interface Warmed {
  /** `Cities.find`. */
  readonly name: string;
  readonly instance: object;
  /** Told of what fails; its manager keeps the history. */
  readonly owner: RegisteredCache | undefined;
}

interface Warmer extends Warmed {
  readonly declared: DeclaredWarmer;
}

interface Refreshed extends Warmed {
  readonly declared: DeclaredRefresh;
}

@Injectable()
export class TurboCacheWarming
  extends EventEmitter<TurboCacheWarmingEvents>
  implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy
{
  readonly #logger = new Logger('TurboCache');
  readonly #ending = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  readonly #places: Places;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #cron: CronJobs;
  #warmers: Warmer[] = [];
  #refreshers: Refresher[] = [];

  constructor(
    @Inject(CHECKED_OPTIONS) private readonly options: CheckedWarmingOptions,
    @Inject(CacheRegistry) private readonly registry: CacheRegistry,
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(ModuleRef) moduleRef: ModuleRef,
  ) {
    super();
    this.#cron = new CronJobs(moduleRef);
    this.#places = new Places(options.maxConcurrent);
  }

  /**
   * Runs warmers now: all, or those of one method.
   *
   * @param name `Cities.find`
   * @returns How each run ended.
   */
  async warm(name?: string): Promise<WarmProgress[]> {
    const chosen = this.#warmers.filter((warmer) => name === undefined || warmer.name === name);
    if (name !== undefined && chosen.length === 0) throw unknownWarmer(name, this.#warmers);
    return Promise.all(
      chosen.map((warmer) => this.#run(warmer, 'by hand', warmer.declared.options.renew ?? 'missing')),
    );
  }

  onModuleInit(): void {
    const refreshed: Refreshed[] = [];
    const seen = new Set<object>();
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const { metatype } = wrapper;
      const prototype: unknown = typeof metatype === 'function' ? metatype.prototype : undefined;
      // For other scopes Nest keeps an object that nobody has constructed.
      const single = wrapper.isDependencyTreeStatic() && !wrapper.isTransient;
      const made = wrapper.instance as unknown;
      const object = single && isObject(made) ? made : undefined;
      const from = object ?? (isObject(prototype) ? prototype : undefined);
      if (from === undefined || seen.has(from)) continue;
      seen.add(from);
      for (const declared of warmersOf(from)) {
        this.#warmers.push({ ...this.#warmed(object, declared.place), declared });
      }
      for (const declared of refreshesOf(from)) {
        refreshed.push({ ...this.#warmed(object, declared.place), declared });
      }
    }
    if (!this.options.enabled) return;
    for (const warmer of this.#warmers) this.#schedule(warmer);
    for (const each of refreshed) this.#refresh(each);
  }

  async onApplicationBootstrap(): Promise<void> {
    if (!this.options.enabled) return;
    const due = this.#warmers.filter(({ declared }) => declared.triggers.includes('startup'));
    await Promise.all(
      due.map(async (warmer) => {
        const run = this.#run(warmer, 'startup', warmer.declared.options.renew ?? 'missing');
        if (warmer.declared.blockFor > 0) await this.#block(run, warmer);
      }),
    );
  }

  async onModuleDestroy(): Promise<void> {
    this.#cron.stop();
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    this.#ending.abort();
    await Promise.all(this.#running);
    await Promise.all(this.#refreshers.map((refresher) => refresher.save().catch(ignore)));
  }

  #warmed(instance: object | undefined, place: Place): Warmed {
    if (instance === undefined) {
      throw decoratorError(place, 'its class has no single instance that could be asked at start-up', {
        expected: 'a provider of the default scope',
      });
    }
    const { methodName } = place;
    return { name: `${instance.constructor.name}.${methodName}`, instance, owner: this.#ownerOf(instance, methodName) };
  }

  /** The cache that the method fills; a warmer of its own fills what it likes. */
  #ownerOf({ constructor }: object, methodName: string): RegisteredCache | undefined {
    const type = constructor as Type;
    const decorated = declarationsOf(type).find(
      (each) => each.methodName === methodName && each.decorator !== '@TurboCacheEvict',
    );
    if (decorated === undefined) return this.registry.main();
    return this.registry.find(decorated.cache ?? defaultsOf(type).cache);
  }

  #schedule(warmer: Warmer): void {
    for (const [i, trigger] of warmer.declared.triggers.entries()) {
      if (trigger === 'startup') continue;
      const place = this.#warmers.indexOf(warmer);
      this.#cron.add(`turbocache:${warmer.name}:${place}:${i}`, trigger, () => {
        void this.#run(warmer, trigger, warmer.declared.options.renew ?? 'all');
      });
    }
  }

  #refresh(refreshed: Refreshed): void {
    const { name, instance, owner, declared } = refreshed;
    const refresher = new Refresher({
      declared,
      name,
      now: this.options.now,
      store: owner?.manager,
      run: (trigger, calls, ahead) => this.#renewAll(refreshed, trigger, calls, ahead),
    });
    this.#refreshers.push(refresher);
    declared.sinks.set(this.registry, refresher.see);
    let looking = this.#track(refresher.restore().catch(ignore));
    let busy = false;
    const timer = setInterval(() => {
      if (busy || this.#ending.signal.aborted) return;
      busy = true;
      looking = this.#track(looking.then(() => refresher.look(instance)).catch(ignore)).finally(() => (busy = false));
    }, declared.every);
    timer.unref();
    this.#timers.push(timer);
  }

  async #run(warmer: Warmer, trigger: string, renew: 'missing' | 'all'): Promise<WarmProgress> {
    const { instance, declared } = warmer;
    const method = (instance as Record<string | symbol, Method>)[declared.key]!;
    const { args, concurrency, perSecond } = declared.options;
    const context = { trigger, signal: this.#ending.signal };
    const lists = (): ArgumentLists | Promise<ArgumentLists> => {
      if (args === undefined) return [[context]];
      return typeof args === 'function' ? args.call(instance, context) : args;
    };
    const fill = renewalOf(method);
    const call =
      fill === undefined
        ? (list: readonly unknown[]) => settled(method.apply(instance, [...list]))
        : (list: readonly unknown[]) => fill(instance, [...list], renew === 'all' ? ALWAYS : null);
    return this.#start(warmer, trigger, { concurrency, perSecond }, call, lists);
  }

  #renewAll(
    refreshed: Refreshed,
    trigger: 'hottest' | 'predicted',
    calls: readonly SeenCall[],
    ahead: number | null,
  ): Promise<unknown> {
    const { renew } = refreshed.declared;
    const lists = calls.map((call) => [call] as const);
    return this.#start(
      refreshed,
      trigger,
      {},
      ([call]) => {
        const { instance, args } = call as SeenCall;
        return renew(instance, [...args], ahead);
      },
      () => lists,
    );
  }

  #start(
    { name, owner }: Warmed,
    trigger: string,
    limits: { concurrency?: number | undefined; perSecond?: number | undefined },
    call: (args: readonly unknown[]) => Promise<unknown>,
    lists: () => ArgumentLists | Promise<ArgumentLists>,
  ): Promise<WarmProgress> {
    const { concurrency, perSecond } = this.options;
    const chosen: RunLimits = {
      concurrency: limits.concurrency ?? concurrency,
      perSecond: limits.perSecond ?? perSecond,
    };
    return this.#track(
      runWarmer(
        {
          warmer: name,
          trigger,
          limits: chosen,
          places: this.#places,
          signal: this.#ending.signal,
          call,
          onProgress: (progress) => this.#progress(progress),
          onError: (error) => {
            if (owner === undefined) return;
            CacheRegistry.report(owner, error, { operation: 'read', method: `warming ${name}` });
          },
        },
        lists,
      ),
    );
  }

  /** Whoever listens does not change what happens. */
  #progress(progress: WarmProgress): void {
    try {
      this.emit('progress', progress);
      this.options.onProgress?.(progress);
    } catch (error) {
      this.#logger.error(error instanceof Error ? error : String(error));
    }
    if (this.options.onProgress === undefined) this.#log(progress);
  }

  #log(progress: WarmProgress): void {
    const { state, warmer, trigger, done, failed, elapsed } = progress;
    // What is renewed every few seconds is not worth a line each time.
    if (state === 'running' || trigger === 'hottest') return;
    this.#logger.log(
      `${warmer} (${trigger}): warmed ${done} in ${elapsed} ms${failed > 0 ? `, ${failed} failed` : ''}${state === 'cancelled' ? ', cancelled' : ''}`,
    );
  }

  async #block(run: Promise<WarmProgress>, { name, declared }: Warmer): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), declared.blockFor)));
    if ((await Promise.race([run, late])) === 'late') {
      this.#logger.warn(`${name}: still warming after ${declared.blockFor} ms; the application starts without waiting`);
    }
    clearTimeout(timer);
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    void work.then(() => this.#running.delete(work));
    return work;
  }
}

function settled(result: unknown): Promise<unknown> {
  return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : Promise.resolve(result);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** A failure of the cache was reported by the cache. */
function ignore(): void {}

function unknownWarmer(name: string, warmers: readonly Warmer[]): ConfigurationError {
  const expected = `one of ${warmers.map((warmer) => warmer.name).join(', ') || 'no warmer at all'}`;
  return new ConfigurationError('E_TURBOCACHE_OPTION', `warm(): there is no warmer "${name}"; expected ${expected}.`, {
    option: 'name',
    got: name,
    expected,
  });
}
