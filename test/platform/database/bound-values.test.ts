import { describe, expect, it } from '@jest/globals';
import { raw } from '@mikro-orm/core';
import { bindValues } from '../../../src/platform/database/bound-driver.ts';

const bind = (sql: string, params: readonly unknown[]) => bindValues({ sql, params }, (name) => `"${name}"`);

describe('values of a statement', () => {
  it('become parameters in their order, whatever they hold', () => {
    const values = ["it's", 'a\\?b', '$1', '??', null, 9_007_199_254_740_991, true];
    const { text, values: bound } = bind('insert into t values (?, ?, ?, ?, ?, ?, ?)', values);
    expect(text).toBe('insert into t values ($1, $2, $3, $4, $5, $6, $7)');
    expect(bound).toEqual(values);
  });

  it('tell names, question marks and values apart', () => {
    expect(bind(String.raw`select ?? from t where a \? ? and b = ?`, ['x', 'key', 1])).toEqual({
      text: 'select "x" from t where a ? $1 and b = $2',
      values: ['key', 1],
    });
    expect(bind('?', ['first'])).toEqual({ text: '$1', values: ['first'] });
  });

  it('of a list are one parameter each, those of a fragment stand in their place', () => {
    expect(bind('where a = ? and b in (?) and c = ?', [1, [2, 3], raw('lower(?)', ['X'])])).toEqual({
      text: 'where a = $1 and b in ($2, $3) and c = lower($4)',
      values: [1, 2, 3, 'X'],
    });
  });

  it('are given in forms that do not depend on the process', () => {
    const bytes = Buffer.from([0, 1, 255]);
    expect(bind('?, ?, ?', [new Date('2026-11-21T10:00:00+05:30'), 2n ** 60n, bytes]).values).toEqual([
      '2026-11-21T04:30:00.000Z',
      '1152921504606846976',
      bytes,
    ]);
  });

  it('leaves a text without parameters as it is', () => {
    expect(bind("select '?'", [])).toEqual({ text: "select '?'", values: [] });
  });
});
