/** What happens when processes die or are away takes its time, as a million rows do: each has a step and a configuration of its own. */
export const faults = [
  '/test/workflows/.*-recovery\\.test\\.ts$',
  '/test/workflows/commands/.*\\.test\\.ts$',
  '/test/contract/commands-without-worker\\.test\\.ts$',
  '/test/storm/.*\\.test\\.ts$',
];

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/plans/', ...faults],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  // One PostgreSQL and one Temporal for the whole run; every test file has its own database and task queue.
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  // Beyond the waits inside of a test, which say what they waited for.
  testTimeout: 300_000,
  maxWorkers: 4,
  workerIdleMemoryLimit: '800MB',
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts'],
};
