import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const RULES = ['__test__/layers.test.ts', '__test__/lockfile.test.ts'];

export default defineConfig({
  resolve: {
    // Tests import the package by its name, as users do, and get its real entry files.
    alias: [
      { find: /^turbocache-js$/, replacement: file('./index.mjs') },
      { find: /^turbocache-js\/nest$/, replacement: file('./nest.mjs') },
      { find: /^turbocache-js\/([a-z-]+)$/, replacement: file('./esm/$1.mjs') },
    ],
  },
  test: {
    projects: [
      // Rules about the sources themselves: `make check` runs them, and they need neither a build nor a server.
      { extends: true, test: { name: 'rules', include: RULES } },
      {
        extends: true,
        test: {
          name: 'package',
          include: ['__test__/**/*.test.ts'],
          exclude: [...RULES, '__test__/nest-11/**', '__test__/integrations/**'],
          globalSetup: [file('./__test__/rig/global-setup.ts')],
        },
      },
      // With the libraries of a package of their own: `make test` installs it.
      {
        extends: true,
        test: {
          name: 'integrations',
          include: ['__test__/integrations/*/*.test.ts'],
          globalSetup: [file('./__test__/rig/global-setup.ts')],
        },
      },
    ],
    // A process a file: a crash of the native side is seen as one, and the process exits by itself or the run hangs.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    server: {
      // The built package is loaded by Node itself, not transformed by Vite.
      deps: { external: [/\/dist\/(?:node|nest-module)\//, /\/(?:index|nest)\.m?js$/, /\/esm\/[a-z-]+\.mjs$/] },
    },
  },
});
