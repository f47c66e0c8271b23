import everyday, { faults } from './jest.config.js';

/**
 * What happens when processes are killed at each step, when the worker or Temporal is away, and when answers are lost
 * (`npm run test:faults`).
 *
 * @type {import('jest').Config}
 */
export default {
  ...everyday,
  testMatch: undefined,
  testRegex: faults,
  testPathIgnorePatterns: ['/node_modules/'],
};
