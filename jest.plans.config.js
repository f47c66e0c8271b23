import everyday from './jest.config.js';

/**
 * What the lists and searches read of a million rows (`npm run test:plans`). Filling the tables takes most of the time, and two of
 * them at once are as much as a machine of two cores does.
 *
 * @type {import('jest').Config}
 */
export default {
  ...everyday,
  roots: ['<rootDir>/test/plans'],
  testPathIgnorePatterns: ['/node_modules/'],
  maxWorkers: 2,
};
