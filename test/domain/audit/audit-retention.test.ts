import { describe, expect, it } from '@jest/globals';
import { compareDecisions } from '../../../src/domain/audit/audit-retention.ts';
import type { DecisionRecord } from '../../../src/domain/audit/audit-retention.ts';

const decision = (user: string, at: number, more: Partial<DecisionRecord> = {}): DecisionRecord => ({
  workflow_id: 'approval/t/1',
  verdict: 'approve',
  user_id: user,
  at_ms: at,
  ...more,
});
const span = { from_ms: 100, to_ms: 200 };

describe('comparison of decisions in audit and Temporal', () => {
  it('ignores order and repetition', () => {
    const both = [decision('a', 110), decision('b', 120), decision('a', 130)];
    expect(compareDecisions(both, both.toReversed().slice(1), span)).toEqual([]);
  });

  it('reports a decision of another person, verdict or workflow on either side', () => {
    const audit = [decision('a', 110), decision('b', 120)];
    const temporal = [decision('a', 111, { verdict: 'reject' }), decision('b', 121)];
    expect(compareDecisions(audit, temporal, span)).toEqual([
      { ...decision('a', 110), missing_in: 'temporal' },
      { ...decision('a', 111, { verdict: 'reject' }), missing_in: 'audit' },
    ]);
  });

  it('searches the other side beyond the span, and reports nothing outside of it', () => {
    expect(compareDecisions([decision('a', 199)], [decision('a', 201)], span)).toEqual([]);
    expect(compareDecisions([decision('a', 99), decision('b', 200)], [decision('c', 50)], span)).toEqual([]);
  });
});
