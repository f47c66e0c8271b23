import { describe, expect, it } from '@jest/globals';
import { statementName } from '../../../src/platform/database/statement-name.ts';

/** The name that a text has once it has been seen twice. */
function nameOf(sql: string): string | undefined {
  statementName(sql);
  return statementName(sql);
}

const valuesOf = (count: number) => Array.from({ length: count }, (_, place) => `$${place + 1}`).join(', ');

describe('names of statements', () => {
  it('are given with the second use and stay', () => {
    expect(statementName('select 1 where $1')).toBeUndefined();
    const name = statementName('select 1 where $1');
    expect(name).toMatch(/^s_/);
    expect(statementName('select 1 where $1')).toBe(name);
  });

  it('are not used up by texts that never come back', () => {
    for (let one = 0; one < 5_000; one += 1) statementName(`select ${one}`);
    expect(nameOf('select after many others')).toBeDefined();
  });

  it('are not used up by lists of every length', () => {
    const names = Array.from({ length: 50 }, (_, count) => nameOf(`select from t where id in (${valuesOf(count + 2)})`));
    expect(names.filter((name) => name !== undefined)).toHaveLength(2);
  });

  it('are not used up by inserts of every number of rows', () => {
    const rows = (count: number) => Array.from({ length: count }, (_, row) => `($${2 * row + 1}, lower($${2 * row + 2}))`).join(', ');
    const names = Array.from({ length: 50 }, (_, count) => nameOf(`insert into t values ${rows(count + 1)}`));
    expect(names.filter((name) => name !== undefined)).toHaveLength(2);
  });
});
