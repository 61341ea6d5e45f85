import { describe, expect, it } from 'vitest';
import { rustViolations } from './layers/rust';
import { read, sourcesIn } from './layers/source';
import { typescriptViolations } from './layers/typescript';

describe('arrows point one way', () => {
  it('in the engine', () => {
    const sources = sourcesIn('src', '.rs');
    expect(sources.length).toBeGreaterThan(10);
    expect(rustViolations(sources, read('Cargo.toml').text)).toEqual([]);
  });

  it('in the client and the Nest module', () => {
    const sources = [...sourcesIn('node/client', '.ts'), ...sourcesIn('nest-module', '.ts')];
    expect(sources.length).toBeGreaterThan(10);
    expect(typescriptViolations(sources)).toEqual([]);
  });
});

describe('the check of Rust finds', () => {
  const check = (files: Record<string, string>, manifest = ''): string[] =>
    rustViolations(
      Object.entries(files).map(([file, text]) => ({ file, text })),
      manifest,
    );

  it.each([
    ['a use that points up', 'use crate::engine::Engine;'],
    ['one in a group', 'use crate::{error::Error, engine::{self, Engine}};'],
    ['one in an expression', 'fn f() { crate::engine::start(); }'],
    ['one through super', 'use super::super::engine::Engine;'],
    ['one in an inline module', 'mod part { use super::super::super::engine::Engine; }'],
    ['one through a name that lib.rs re-exports', 'use crate::Engine;'],
  ])('%s', (_, text) => {
    const lib = 'pub use engine::{Engine, Other};';
    expect(check({ 'src/tier/memory.rs': text, 'src/lib.rs': lib })).toEqual([
      'src/tier/memory.rs: tier → engine points up',
      ...(text.includes('{self') ? ['src/tier/memory.rs: tier → engine points up'] : []),
    ]);
  });

  it('a circle within a layer', () => {
    const files = { 'src/tier/mod.rs': 'use crate::bus::Bus;', 'src/bus/mod.rs': 'use crate::tier::Tier;' };
    expect(check(files)).toEqual(['src: tier → bus → tier is a circle']);
  });

  it('a module that nobody put into a layer, and the whole crate at once', () => {
    expect(check({ 'src/misc.rs': '' })).toEqual([expect.stringContaining('"misc" is in no layer')]);
    expect(check({ 'src/key.rs': 'use crate::*;' })).toEqual([expect.stringContaining('crate::*')]);
  });

  it('the redis crate outside transport, and napi anywhere', () => {
    expect(check({ 'src/tier/redis.rs': 'use redis::Client;' })).toHaveLength(1);
    expect(check({ 'src/tier/redis.rs': 'fn f() -> ::redis::Value {}' })).toHaveLength(1);
    expect(check({ 'src/transport/connection.rs': 'use redis::Client;' })).toEqual([]);
    expect(check({ 'src/cache.rs': 'use napi::Env;' })).toHaveLength(1);
    expect(check({}, '[dependencies]\nnapi = "3"')).toHaveLength(1);
  });

  it("a clock or a dice of one's own", () => {
    expect(check({ 'src/engine/load.rs': 'let now = std::time::Instant::now();' })).toHaveLength(1);
    expect(check({ 'src/tier/memory.rs': 'let s = RandomState::new();' })).toHaveLength(1);
    expect(check({ 'src/clock.rs': 'let now = Instant::now();' })).toEqual([]);
  });

  it('nothing in what is allowed', () => {
    const files = {
      'src/tier/mod.rs': 'mod redis; pub use self::redis::RedisTier; use redis::Other; use crate::codec::envelope;',
      'src/engine/read.rs':
        '// crate::cache::Cache\nfn f<\'a>(x: &\'a str) { let s = "crate::cache"; super::write::g(); }',
      'src/key.rs': 'use crate::error::Result; mod tests { use super::*; use crate::engine::Engine; }',
      'src/engine/tests.rs': 'use crate::cache::Cache;',
    };
    expect(check(files)).toEqual([]);
  });
});

describe('the check of TypeScript finds', () => {
  const check = (files: Record<string, string>): string[] =>
    typescriptViolations(Object.entries(files).map(([file, text]) => ({ file, text })));

  it.each([
    ['the Nest module in the client', 'node/client/a.ts', "import { x } from '../../nest-module/index';"],
    ['Nest in the client', 'node/client/a.ts', "import { Module } from '@nestjs/common';"],
    ['a package in the client', 'node/client/a.ts', "const x = require('lodash');"],
    ['a dynamic import', 'node/client/a.ts', "const x = await import('keyv');"],
    ['the inside of the client in the Nest module', 'nest-module/a.ts', "export { x } from '../node/client/session';"],
    ['a package that is not Nest', 'nest-module/a.ts', "import express from 'express';"],
    ['a value of the published types', 'node/client/a.ts', "import { CacheManager } from '../../index';"],
  ])('%s', (_, file, text) => {
    expect(check({ [file]: text })).toHaveLength(1);
  });

  it('a circle, also one of types', () => {
    const files = {
      'node/client/a.ts': "import { b } from './b';",
      'node/client/b.ts': "export * from './deep';",
      'node/client/deep/index.ts': "import type { A } from '../a';",
    };
    expect(check(files)).toEqual([
      'node/client/a → node/client/b → node/client/deep/index → node/client/a is a circle',
    ]);
  });

  it('nothing in what is allowed', () => {
    const files = {
      'node/client/a.ts':
        "import type { Ttl } from '../../index';\nimport fs from 'node:fs';\nimport { b } from './b.js';",
      'node/client/b.ts': "// import { x } from '@nestjs/common';",
      'nest-module/a.ts': "import { Module } from '@nestjs/common';\nimport { CacheManager } from '../node/client';",
      'nest-module/b.ts': "import type { Ttl } from 'turbocache-js';\nimport { of } from 'rxjs';",
      'node/client/index.ts': '',
    };
    expect(check(files)).toEqual([]);
  });
});
