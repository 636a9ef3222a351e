import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

// Data moves right and nothing points left: see docs/design.md.
const layers = ['contracts', 'python', 'store', 'leaf', 'nemo', 'model', 'training', 'trainer', 'activities', 'app'];
const below = (layer) => layers.slice(0, layers.indexOf(layer)).map((name) => `layer:${name}`);

/** What each layer may import: everything below it; the workflows see contracts alone. */
export const depConstraints = [
  ...layers.map((layer) => ({ sourceTag: `layer:${layer}`, onlyDependOnLibsWithTags: below(layer) })),
  { sourceTag: 'layer:workflows', onlyDependOnLibsWithTags: ['layer:contracts'] },
  { sourceTag: 'layer:tests', onlyDependOnLibsWithTags: ['*'] },
];

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
