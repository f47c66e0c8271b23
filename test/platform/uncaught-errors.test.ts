import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const fixture = fileURLToPath(new URL('./fixtures/uncaught.ts', import.meta.url));

describe('T-21: an error that nobody catches', () => {
  it.each([
    ['ordinary', ['draining', 'drained'], /nobody listens/],
    ['rejection', ['draining', 'drained'], /nobody handles this/],
    ['fails', ['draining'], /the drain failed/],
    ['hangs', ['draining'], /nobody listens/],
    ['again', ['draining'], /while draining/],
  ])('%s: is logged, drained, and ends the process with 1', (mode, said, logged) => {
    const { status, stdout } = spawnSync(process.execPath, [fixture, mode], { encoding: 'utf8', timeout: 30_000 });
    expect(status).toBe(1);
    const lines = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
    expect(lines).toEqual(said);
    expect(stdout).toMatch(logged);
  });
});
