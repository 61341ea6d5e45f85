/**
 * Looks once, at start-up, at every provider and controller: binds the objects that Nest did not construct itself
 * (`useFactory`, `useValue`), and refuses what could only go wrong later.
 */
import { Inject, Injectable, type OnModuleInit, type Type } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { ConfigurationError } from '../client';
import { checkKeysAreClaimed } from '../decorators/declared-key';
import { defaultsOf } from '../decorators/defaults';
import { bindingOf, bindRegistry, needsBinding } from './binding';
import { CacheRegistry } from './cache-registry';
import { type Declaration, declarationsOf } from './declarations';
import { missingCache } from './missing-cache';

@Injectable()
export class CacheExplorer implements OnModuleInit {
  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(CacheRegistry) private readonly registry: CacheRegistry,
  ) {}

  onModuleInit(): void {
    const types = new Set<Type>();
    for (const { instance, metatype } of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const object = instance as unknown;
      if (isObject(object) && needsBinding(object)) {
        if (bindingOf(object) === undefined && object !== (object.constructor.prototype as object)) {
          bindRegistry(object, this.registry);
        }
        types.add(object.constructor as Type);
      } else if (isClass(metatype) && needsBinding(metatype.prototype as object)) {
        types.add(metatype);
      }
    }
    this.#check(types);
  }

  #check(types: Iterable<Type>): void {
    const owners = new Map<string, Type>();
    for (const type of types) {
      checkKeysAreClaimed(type);
      const { cache: byDefault } = defaultsOf(type);
      for (const declaration of declarationsOf(type)) {
        const cache = declaration.cache ?? byDefault;
        if (this.registry.find(cache) === undefined)
          throw missingCache({ ...declaration, className: type.name, cache });
        if (!declaration.namesClass) continue;
        const owner = `${type.name} in ${cache ?? ''}`;
        if ((owners.get(owner) ?? type) !== type) throw sameName(type, declaration);
        owners.set(owner, type);
      }
    }
  }
}

function sameName({ name }: Type, { decorator, methodName }: Declaration): ConfigurationError {
  const expected = 'a `key` without #{class} on one of them, or different caches';
  return new ConfigurationError(
    'E_TURBOCACHE_CLASH',
    `${decorator} on ${name}.${methodName}: two classes of this application are named ${name} and would share their keys; expected ${expected}.`,
    { option: 'key', got: name, expected, className: name, methodName },
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Factories are functions too, but have no prototype that carries anything. */
function isClass(value: unknown): value is Type {
  return typeof value === 'function' && isObject(value.prototype);
}
