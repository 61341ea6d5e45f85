/**
 * The tests of `__test__/nest` and `__test__/nest-fastify`, once more: Nest 11, CommonJS, Jest. They are written for Vitest;
 * what they use of it, Jest has under the same names.
 */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>', '<rootDir>/../nest', '<rootDir>/../nest-fastify'],
  testMatch: ['**/*.test.ts'],
  testTimeout: 20_000,
  maxWorkers: 2,
  moduleFileExtensions: ['ts', 'js', 'cjs', 'mjs', 'json', 'node'],
  moduleNameMapper: { '^vitest$': '<rootDir>/vitest-on-jest.cjs' },
  resolver: '<rootDir>/resolve-here.cjs',
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: '<rootDir>/tsconfig.json' }] },
};
