/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // A million rows take their time: jest.plans.config.js.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/plans/'],
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
