import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import eslint from '@eslint/js';
import jest from 'eslint-plugin-jest';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** What may be done in one place only. Each restriction is lifted for its place further down. */
const restrictions = {
  env: {
    selector: "MemberExpression[object.name='process'][property.name='env']",
    message: 'The environment is read and validated in src/platform/env.ts only.',
  },
  fork: {
    selector:
      "CallExpression[callee.property.name=/^(fork|transactional)$/], CallExpression[callee.property.name='flush']:not([callee.object.name='tx'])",
    message: 'Database changes go through unitOfWork of src/platform/database/unit-of-work.ts; entities are written by tx.flush().',
  },
  connection: {
    selector: 'NewExpression[callee.name=/^(Client|Pool)$/]',
    message: 'Connections to PostgreSQL and Temporal are opened in src/platform and src/dev only.',
  },
  fetch: {
    selector: "CallExpression[callee.name='fetch'], CallExpression[callee.object.name='globalThis'][callee.property.name='fetch']",
    message: 'Outbound HTTP goes through src/platform/outbound/outbound-http.ts, which guards against private addresses.',
  },
  hostHeader: {
    selector: "MemberExpression[object.name=/^(ctx|context|request)$/][property.name=/^(hostname|host|origin|href)$/]",
    message: 'Links are built from PUBLIC_URL; the Host header is the caller’s.',
  },
  redirectBack: {
    selector: "CallExpression[callee.property.name=/^(redirect|back)$/] > Literal[value='back']",
    message: 'The Referer header is the caller’s; redirect to a known place.',
  },
  secretComparison: {
    selector:
      "BinaryExpression[operator=/^[!=]==?$/]:matches([left.type='Identifier'][left.name=/([tT]oken|[hH]ash|[sS]ignature|[hH]mac)$/], [left.type='MemberExpression'][left.property.name=/(token|hash|signature|hmac)$/]):not([right.type='Literal']):not([right.name='undefined'])",
    message: 'Secrets are compared in constant time (timingSafeEqual).',
  },
  write: {
    selector:
      "CallExpression[callee.property.name=/^(insertInto|updateTable|deleteFrom|mergeInto)$/], MemberExpression[object.name='tx'][property.name='em']",
    message: 'Tables are written by services: a handler or an activity calls one.',
  },
  workflowCall: {
    selector: "MemberExpression[object.name=/[cC]lient$/][property.name='workflow']",
    message: 'A workflow is started, updated, signalled and queried by its services/<area>/<name>.client.ts only.',
  },
  pattern: {
    selector: ":matches(NewExpression, CallExpression)[callee.name='RegExp']:not([arguments.0.type='Literal'])",
    message: 'Patterns are written down; what people send is compiled by src/platform/linear-pattern.ts only, whose engine takes linear time.',
  },
  rowId: {
    selector: "CallExpression[callee.object.name='z'][callee.property.name='uuid']",
    message: 'The id of a row is `uuid` of src/platform/value-schemas.ts, which knows capitals for the same id.',
  },
  defaultExport: { selector: 'ExportDefaultDeclaration', message: 'Exports have names.' },
  enumeration: { selector: 'TSEnumDeclaration', message: 'Use a closed union of literals.' },
};

/** `no-restricted-syntax` with every restriction but the named ones. */
function restrictionsExcept(...lifted) {
  const kept = Object.entries(restrictions).filter(([name]) => !lifted.includes(name));
  return { 'no-restricted-syntax': ['error', ...kept.map(([, restriction]) => restriction)] };
}

/** Client and Pool are names of other things too; what matters is where they come from. */
const driverImports = {
  paths: [
    { name: 'pg', importNames: ['Client', 'Pool'], message: restrictions.connection.message, allowTypeImports: true },
    { name: 'undici', message: restrictions.fetch.message },
    { name: 'node-fetch', message: restrictions.fetch.message },
  ],
};

/** Comments name rules in words or by an id of docs/requirements.md, never by the number of a list that is not here. */
const comments = {
  rules: {
    'no-list-numbers': {
      create: ({ sourceCode, report }) => ({
        Program: () =>
          sourceCode
            .getAllComments()
            .filter(({ value }) => /capabilit(y|ies)[\s*]+\d/i.test(value))
            .forEach(({ loc }) => report({ loc, message: 'Say the rule in words, or name it by an id of docs/requirements.md.' })),
      }),
    },
  },
};

/** What a file in an area's folder may hold, by its ending; `docs/architecture.md` says what each ending means. */
const endings = {
  api: ['routes', 'schemas'],
  services: ['service', 'repository', 'queries', 'action', 'payload', 'client'],
  activities: ['activities'],
  workflows: ['contract', 'workflow'],
  entities: ['entity'],
};
const roles = Object.values(endings).flat();
/** Endings of file names that say how a file came about and not what it holds. */
const vagueName = /-(views?|reads|lists|rows|facts|query|follow|work|start|messages|news|store|stuff|misc|utils?|helpers?)\.ts$/;
const maxFilesInFolder = 30;

/** Where files stand and what they are called. */
const layout = {
  rules: {
    files: {
      create: ({ filename, report }) => ({
        Program: (node) => {
          const complain = (message) => report({ node, message });
          const name = basename(filename);
          const [, layer] = /[\\/]src[\\/](\w+)[\\/]/.exec(filename) ?? [];
          const role = /\.([a-z]+)\.ts$/.exec(name)?.[1];
          if (vagueName.test(name) && name !== 'unit-of-work.ts') complain('A file name says what the file holds.');
          if (layer !== undefined && role !== undefined && roles.includes(role) && !(endings[layer] ?? []).includes(role)) {
            complain(`Files that end in .${role}.ts belong to another layer than ${layer}.`);
          }
          const files = readdirSync(dirname(filename), { withFileTypes: true }).filter((entry) => entry.isFile());
          if (files.length > maxFilesInFolder) complain(`A folder has at most ${maxFilesInFolder} files; this one has ${files.length}.`);
        },
      }),
    },
  },
};

export default defineConfig(
  globalIgnores(['node_modules/', 'dist/', 'coverage/', '.castellan/', 'src/sdk/openapi.types.ts']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...restrictionsExcept(),
      '@typescript-eslint/no-restricted-imports': ['error', driverImports],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-floating-promises': 'error',
      'eqeqeq': ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      // A number or a boolean in a text reads as one expects.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Interfaces of ours are asynchronous where an implementation may not need to be.
      '@typescript-eslint/require-await': 'off',
      // `() => this.#lost()` is the plain way to hand on an effect.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // Closed unions make the compiler prove some comparisons that guard against data from outside.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      // Type parameters that appear once document the type of a result, e.g. of a query.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // Functions on plain objects do not use `this`.
      '@typescript-eslint/unbound-method': 'off',
      // Characters are counted and taken as code points on purpose.
      '@typescript-eslint/no-misused-spread': ['error', { allow: [{ from: 'lib', name: 'string' }] }],
      // `const enum`s of libraries cannot be imported where types are only stripped.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      // An operation without parameters has the empty type; the schema interface is filled by declaration merging.
      '@typescript-eslint/no-generated-empty-object-type': 'off',
      '@typescript-eslint/no-empty-object-type': ['error', { allowInterfaces: 'with-single-extends' }],
      // What was caught is handed on as it was.
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
    },
  },

  // Merged migrations are frozen, their comments too.
  {
    files: ['**/*.{ts,js,cjs}'],
    ignores: ['migrations/**'],
    plugins: { comments },
    rules: { 'comments/no-list-numbers': 'error' },
  },
  { files: ['{src,test,bench,scripts}/**/*.ts'], plugins: { layout }, rules: { 'layout/files': 'error' } },

  // The places where a restricted thing is done; the last one that fits a file counts.
  { files: ['src/services/**'], rules: restrictionsExcept('write') },
  // Temporal as the engine of a queue: the workflows are the applications' own.
  { files: ['src/services/**/*.client.ts', 'src/services/queue/temporal-queue-provider.ts'], rules: restrictionsExcept('write', 'workflowCall') },
  { files: ['src/platform/**'], rules: restrictionsExcept('connection', 'write') },
  { files: ['src/platform/linear-pattern.ts'], rules: restrictionsExcept('pattern') },
  { files: ['src/platform/value-schemas.ts'], rules: restrictionsExcept('rowId') },
  { files: ['src/platform/temporal/**'], rules: restrictionsExcept('connection', 'workflowCall') },
  { files: ['src/platform/database/unit-of-work.ts'], rules: restrictionsExcept('fork', 'write') },
  { files: ['src/platform/env.ts', 'src/main.ts', 'src/dev/**'], rules: restrictionsExcept('env', 'connection', 'write', 'workflowCall') },
  {
    files: ['src/platform/**', 'src/dev/**'],
    ignores: ['src/platform/outbound/outbound-agent.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': ['error', { paths: driverImports.paths.filter(({ name }) => name !== 'pg') }],
    },
  },
  { files: ['src/platform/outbound/outbound-agent.ts'], rules: { '@typescript-eslint/no-restricted-imports': 'off' } },
  // The typed client and the demo are callers of the API, on the other side of the wire.
  // Scripts stand there too, outside the product.
  { files: ['src/sdk/**', 'src/dev/**', 'scripts/**'], rules: restrictionsExcept('fetch', 'env', 'connection', 'hostHeader', 'write', 'workflowCall') },

  // Workflow code is replayed: the same history must give the same commands.
  {
    files: ['src/workflows/**/*.ts'],
    ignores: ['src/workflows/shared/{schedules,search-attributes}.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['setTimeout', 'setInterval', 'setImmediate', 'process', 'Buffer', 'fetch', 'crypto', 'performance', 'console'].map(
          (name) => ({ name, message: 'Workflows are deterministic: use @temporalio/workflow, activities and inputs.' }),
        ),
      ],
      'no-restricted-syntax': [
        'error',
        ...Object.values(restrictions),
        {
          // The SDK replaces Date.now and Math.random by the workflow's own clock and seeded source.
          // Turning a given time into another form is pure.
          selector: "Identifier[name='Date']:not(MemberExpression[property.name=/^(now|parse|UTC)$/] > Identifier, NewExpression[arguments.length>0] > Identifier)",
          message: 'Workflows know time as Date.now(), which the SDK makes deterministic; zones and formats belong elsewhere.',
        },
        {
          selector: 'Program > VariableDeclaration[kind=/^(let|var)$/], Program > ExportNamedDeclaration > VariableDeclaration[kind=/^(let|var)$/]',
          message: 'Module state leaks between workflows of a worker (reuseV8Context).',
        },
        {
          selector: 'Program > VariableDeclaration > VariableDeclarator > NewExpression[callee.name=/^(Map|Set|WeakMap|WeakSet|Array)$/]:not(:has(:first-child > ArrayExpression))',
          message: 'Module state leaks between workflows of a worker (reuseV8Context).',
        },
      ],
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            { group: ['node:*'], message: 'Workflows run without Node.' },
            { group: ['zod', 'pg', '@mikro-orm/*', '@temporalio/client', '@temporalio/worker', '@temporalio/activity'], message: 'Workflows only orchestrate.' },
            { regex: '/(activities|platform|api|entities|services)/', message: 'Types only.', allowTypeImports: true },
          ],
        },
      ],
    },
  },

  // Tests stand outside: they may look inside and start things themselves.
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    extends: [jest.configs['flat/recommended']],
    rules: {
      'no-restricted-syntax': ['error', restrictions.defaultExport, restrictions.enumeration],
      '@typescript-eslint/no-restricted-imports': 'off',
      // Bodies of answers have every shape; a wrong guess fails the assertion that makes it.
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-plus-operands': 'off',
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      // Helpers of a test file assert too, by other names.
      'jest/expect-expect': 'off',
      'jest/no-standalone-expect': 'off',
      'jest/no-conditional-expect': 'off',
    },
  },
  // jest's global setup is handed over as a default export.
  { files: ['test/support/global-*.ts', '*.config.js'], rules: { 'no-restricted-syntax': 'off' } },
  // Runs in browsers.
  {
    files: ['src/api/http/account-link-page/page.js'],
    languageOptions: { globals: Object.fromEntries(['document', 'location', 'history', 'fetch', 'addEventListener'].map((name) => [name, 'readonly'])) },
  },
  { files: ['**/*.{js,mjs,cjs}'], languageOptions: { globals: { module: 'readonly', console: 'readonly', process: 'readonly', URL: 'readonly' } } },
);
