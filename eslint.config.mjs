import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import sortImports from 'eslint-plugin-simple-import-sort';
import tseslint from 'typescript-eslint';

// Data moves right and nothing points left: see docs/design.md.
const layers = ['contracts', 'python', 'store', 'leaf', 'nemo', 'model', 'training', 'trainer', 'activities', 'app'];
const below = (layer) => layers.slice(0, layers.indexOf(layer)).map((name) => `layer:${name}`);

/** What each layer may import: everything below it and, in its tests, @nautil/testing; the workflows see contracts alone. */
export const depConstraints = [
  { sourceTag: 'layer:testing', onlyDependOnLibsWithTags: [] },
  ...layers.map((layer) => ({
    sourceTag: `layer:${layer}`,
    onlyDependOnLibsWithTags: [...below(layer), 'layer:testing'],
  })),
  { sourceTag: 'layer:workflows', onlyDependOnLibsWithTags: ['layer:contracts'] },
  { sourceTag: 'layer:tests', onlyDependOnLibsWithTags: ['*'] },
];

// Code that indexes arrays in loops whose bounds prove the index: see docs/decisions/008-non-null-assertions.md.
const numeric = ['libs/metrics', 'libs/model', 'libs/tensorflow', 'libs/training'];

const tests = [
  '**/*.test.ts',
  '**/*.drill.ts',
  '**/*.export.ts',
  '**/*.gpu.ts',
  '**/*.notebook.ts',
  '**/testing/**/*.ts',
  'tests/**/*.ts',
  'workflows/test/**/*.ts',
];

// `no-shadow` sees only values.
const libraryTypes = 'Record|Partial|Pick|Omit|Exclude|Extract|Required|Readonly|Parameters|ReturnType|Awaited';
const namesOfLibraryTypes = {
  selector: `:matches(ClassDeclaration, TSInterfaceDeclaration, TSTypeAliasDeclaration)[id.name=/^(${libraryTypes})$/]`,
  message: 'This name hides a type of the TypeScript library.',
};

// A call takes about 120,000 arguments; vocabularies and labels have more.
const spreadsIntoCalls = [
  {
    selector: 'CallExpression[callee.object.name="Math"] > SpreadElement',
    message: 'Many values overflow the stack: use largest() or smallest() of @nautil/contracts.',
  },
  {
    selector: 'CallExpression[callee.property.name=/^(push|unshift)$/] > SpreadElement',
    message: 'Many values overflow the stack: append them in a loop, or use concat().',
  },
];

// An `error` event without a listener ends the process, and every run in it. For a time, each of these has no listener.
const streamsWithoutErrorPath = [
  {
    selector: 'Identifier[name=/^(createReadStream|createWriteStream|createInterface|createGunzip|createInflate)$/]',
    message:
      'Its errors may find no listener: use readChunks, readTextLines or gunzipped of @nautil/store/streams, or writeFile.',
  },
  {
    selector: 'CallExpression[callee.property.name="pipe"]',
    message: 'pipe() does not pass errors on: use pipeline() of node:stream/promises.',
  },
  {
    selector: 'CallExpression[callee.property.name="once"][arguments.0.value="error"]',
    message: 'A second error would find no listener: use on().',
  },
  {
    selector:
      'CallExpression[callee.name="setInterval"] > :matches(ArrowFunctionExpression, FunctionExpression)[async=true]',
    message: 'Nobody handles its rejection.',
  },
  {
    selector:
      'CallExpression[callee.property.name="openReadStreamPromise"]:not(CallExpression[callee.name="guardStream"] *)',
    message: 'Its errors may find no listener: pass it to guardStream of @nautil/store/streams.',
  },
];

const within = (folders) => folders.map((folder) => `${folder}/**/*.ts`);

export default tseslint.config(
  { ignores: ['**/node_modules', '.nautil', '.nx', 'tmp', '**/dist', '**/*.cjs'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  prettier,
  {
    files: ['**/*.ts'],
    plugins: { '@nx': nx },
    rules: {
      // Commands load heavy libraries when they run; tests of theirs may import the same ones at once.
      '@nx/enforce-module-boundaries': [
        'error',
        { allow: [], depConstraints, checkDynamicDependenciesExceptions: ['.*'] },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    files: ['**/*.ts'],
    extends: [
      ...tseslint.configs.strict,
      ...tseslint.configs.strictTypeCheckedOnly,
      ...tseslint.configs.stylisticTypeChecked,
    ],
    plugins: { 'simple-import-sort': sortImports },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // `[...text]` lists code points, which is what Python's str indexes.
      '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
      '@typescript-eslint/no-shadow': ['error', { builtinGlobals: true, hoist: 'functions' }],
      'no-restricted-syntax': ['error', namesOfLibraryTypes],
      // Node's builtins, packages, the libraries of this repository, then relative paths.
      'simple-import-sort/imports': ['error', { groups: [['^\\u0000', '^node:', '^@?\\w', '^@nautil/', '^\\.']] }],
    },
  },
  { files: within(numeric), rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
  {
    // Programs print; libraries and workflows report through their callers.
    files: ['libs/**/*.ts', 'workflows/**/*.ts'],
    ignores: tests,
    rules: { 'no-console': 'error' },
  },
  {
    // Test doubles implement asynchronous interfaces without waiting, and Jest's matchers are typed `any`.
    files: tests,
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-dynamic-delete': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['**/*.ts', '**/*.mjs'],
    ignores: [...tests, 'libs/store/src/streams/**'],
    rules: {
      'no-restricted-syntax': ['error', namesOfLibraryTypes, ...spreadsIntoCalls, ...streamsWithoutErrorPath],
    },
  },
  {
    // The boundary rule knows projects, not which of their files are tests.
    files: ['libs/**/*.ts', 'apps/**/*.ts', 'workflows/**/*.ts'],
    ignores: tests,
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { patterns: [{ group: ['@nautil/testing'], message: '@nautil/testing is for tests alone.' }] },
      ],
    },
  },
  {
    // NOTE: the boundary rule never sees Node's builtins; one of them in here breaks Temporal's sandbox or a determinism replay.
    files: ['workflows/src/**/*.ts', 'libs/contracts/src/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['node:*', 'fs', 'path', 'os', 'crypto', 'child_process'],
              message: 'contracts and workflows are pure: no Node builtins.',
            },
          ],
        },
      ],
      'no-restricted-globals': ['error', 'process', 'Buffer', 'require'],
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        fetch: 'readonly',
        Buffer: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        AbortController: 'readonly',
        AbortSignal: 'readonly',
      },
    },
  },
);
