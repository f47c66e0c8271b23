import { describe, expect, it } from '@jest/globals';
import { isRefused, decideMove, prospectInsight, refusalText } from '../../../src/domain/tracker/tracker-pipeline.ts';
import type { Move, MoveRefusal, ProspectState, Stage } from '../../../src/domain/tracker/tracker-pipeline.ts';

const lead: Stage = { id: 1, pipeline_id: 1, probability: 10, rotting_days: 14, required_fields: [] };
const proposal: Stage = { id: 2, pipeline_id: 1, probability: 50, rotting_days: null, required_fields: ['email', 'value_minor'] };
const foreign: Stage = { ...lead, id: 9, pipeline_id: 2 };
const prospect: ProspectState = {
  status: 'open',
  stage_id: 1,
  pipeline_id: 1,
  probability: 10,
  lost_reason: null,
  company: 'Acme',
  email: 'a@acme.test',
  phone: null,
  source: null,
  value_minor: 1_000,
  next_activity_at: null,
};
const stay: Move = { stage: null, status: null, lost_reason: null };

function kindOf(move: Partial<Move>, from: Partial<ProspectState> = {}): string {
  const answer = decideMove({ ...prospect, ...from }, lead, { ...stay, ...move });
  return isRefused(answer) ? answer.kind : 'moved';
}

describe('moving a prospect (S0-75)', () => {
  it('sets the probability of the stage', () => {
    expect(decideMove(prospect, lead, { ...stay, stage: proposal })).toEqual({
      status: 'open',
      stage_id: 2,
      probability: 50,
      lost_reason: null,
    });
  });

  it('won means 100 %, lost keeps the stage and the reason, and reopening restores the probability of the stage', () => {
    expect(decideMove(prospect, lead, { ...stay, status: 'won' })).toMatchObject({ probability: 100, stage_id: 1 });
    const lost = decideMove(prospect, lead, { ...stay, status: 'lost', lost_reason: 'price' });
    expect(lost).toEqual({ status: 'lost', stage_id: 1, probability: 0, lost_reason: 'price' });
    const reopened = decideMove({ ...prospect, status: 'lost' }, lead, { ...stay, status: 'open' });
    expect(reopened).toMatchObject({ status: 'open', probability: 10 });
  });

  it('refuses inconsistent moves', () => {
    expect(kindOf({ stage: foreign })).toBe('other-pipeline');
    expect(kindOf({ stage: proposal }, { email: null })).toBe('missing-fields');
    expect(kindOf({ stage: proposal }, { email: '' })).toBe('missing-fields');
    expect(kindOf({ status: 'lost' })).toBe('reason-missing');
    expect(kindOf({ status: 'won', lost_reason: 'x' })).toBe('reason-without-loss');
    expect(kindOf({ stage: proposal }, { status: 'won' })).toBe('closed');
    expect(kindOf({ stage: proposal, status: 'open' }, { status: 'won' })).toBe('moved');
    expect(kindOf({})).toBe('unchanged');
  });

  it('a lost prospect needs no fields', () => {
    const move = { stage: proposal, status: 'lost', lost_reason: 'gone' } as const;
    expect(isRefused(decideMove({ ...prospect, email: null }, lead, move))).toBe(false);
  });

  it('has a sentence for each refusal', () => {
    const refusals: MoveRefusal[] = [
      { kind: 'other-pipeline' },
      { kind: 'missing-fields', fields: ['email'] },
      { kind: 'reason-missing' },
      { kind: 'reason-without-loss' },
      { kind: 'closed' },
      { kind: 'unchanged' },
    ];
    expect(new Set(refusals.map(refusalText)).size).toBe(refusals.length);
    expect(refusals.map(refusalText)).toContain('The stage requires: email.');
  });
});

describe('values derived from a prospect', () => {
  const now = Date.parse('2026-11-21T00:00:00Z');
  const entered_at = '2026-11-07T00:00:00Z';

  it('rots after the days of its stage, while it is open', () => {
    const open = { status: 'open', value_minor: 999, probability: 50 } as const;
    expect(prospectInsight(open, { rotting_days: 14, entered_at }, now)).toEqual({
      seconds_in_stage: 14 * 86_400,
      rots_at: '2026-11-21T00:00:00.000Z',
      is_rotting: true,
      weighted_value_minor: 500,
    });
    expect(prospectInsight(open, { rotting_days: 15, entered_at }, now).is_rotting).toBe(false);
    expect(prospectInsight(open, { rotting_days: null, entered_at }, now).rots_at).toBeNull();
    const won = prospectInsight({ ...open, status: 'won', value_minor: null }, { rotting_days: 1, entered_at }, now);
    expect(won).toMatchObject({ is_rotting: false, rots_at: null, weighted_value_minor: null });
  });
});
