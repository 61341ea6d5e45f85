import js from '@eslint/js';
import tseslint from 'typescript-eslint';

// `{ secret: _secret, ...rest }` leaves something out.
const UNUSED = { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true };
const TESTS = ['__test__/**/*.ts', 'nest-module/**/*.test.ts', 'vitest.config.mts'];

export default tseslint.config(
  { ignores: ['dist', 'target', 'pack', 'coverage', 'npm', '**/node_modules', '**/dist', '**/*.d.ts', '**/*.d.mts'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,

  {
    files: ['**/*.ts', '**/*.mts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['vitest.config.mts'] } } },
    rules: {
      // An interface may ask for a promise that an implementation has at once.
      '@typescript-eslint/require-await': 'off',
      // `get<T>(key)`: the caller names the type of what is stored.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // `return finish()` as an early end of a function that returns nothing.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidOperator: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      '@typescript-eslint/no-unused-vars': ['error', UNUSED],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Nest modules are classes that only carry a decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      // `noUncheckedIndexedAccess` makes every index possibly undefined; `!` says where the length is known.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // index.d.ts declares the classes, node/client implements them: two declarations of one class.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-require-imports': ['error', { allowAsImport: true }],
      // The words and bits of the boundary are numbers that are compared and masked.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      '@typescript-eslint/prefer-literal-enum-member': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
    },
  },

  {
    // Scripts, benches and the hand-written ESM entries: no type information.
    files: ['**/*.mjs', '**/*.js', '**/*.cjs'],
    rules: { 'no-unused-vars': ['error', UNUSED] },
    languageOptions: {
      globals: {
        Atomics: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        __dirname: 'readonly',
        clearInterval: 'readonly',
        clearTimeout: 'readonly',
        console: 'readonly',
        fetch: 'readonly',
        module: 'writable',
        performance: 'readonly',
        process: 'readonly',
        queueMicrotask: 'readonly',
        require: 'readonly',
        setImmediate: 'readonly',
        setInterval: 'readonly',
        setTimeout: 'readonly',
        structuredClone: 'readonly',
      },
    },
  },

  {
    // Tests hand over wrong types on purpose, look into results, and compare methods.
    files: TESTS,
    rules: {
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/unbound-method': 'off',
      'no-console': 'off',
    },
  },

  {
    // The examples and the benches talk to a terminal.
    files: ['examples/**', 'benches/**'],
    rules: { 'no-console': 'off' },
  },
);
