import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hasPair, Independence, isLastPair } from '../../../src/domain/approval/independence.ts';
import { actsAmong, few, made, naiveApart, naiveBehind } from './act-samples.ts';

const someActs = actsAmong(few, 10);
const someone = fc.constantFrom(...few);
const runs = { numRuns: 2_000 };

describe('who stands behind whom', () => {
  it('is whoever acted, and whoever acted on those, in one direction', () => {
    const independence = new Independence([made('maker', 'junior'), made('chief', 'maker')]);
    expect([...independence.behind('junior')]).toEqual(['junior', 'maker', 'chief']);
    expect([...independence.behind('chief')]).toEqual(['chief']);
  });

  it('is the closure that the definition gives, circles included', () => {
    fc.assert(
      fc.property(someActs, someone, (acts, id) => {
        expect(new Independence(acts).behind(id)).toEqual(naiveBehind(acts, id));
      }),
      runs,
    );
  });

  it('is reflexive and transitive', () => {
    fc.assert(
      fc.property(someActs, someone, (acts, id) => {
        const independence = new Independence(acts);
        const behind = independence.behind(id);
        expect(behind.has(id)).toBe(true);
        for (const one of behind) expect([...independence.behind(one)].every((other) => behind.has(other))).toBe(true);
      }),
      runs,
    );
  });
});

describe('two accounts are apart', () => {
  it('when nobody stands behind both, as the definition gives it, and in both directions', () => {
    fc.assert(
      fc.property(someActs, someone, someone, (acts, one, other) => {
        const independence = new Independence(acts);
        expect(independence.areApart(one, other)).toBe(naiveApart(acts, one, other));
        expect(independence.areApart(other, one)).toBe(independence.areApart(one, other));
      }),
      runs,
    );
  });

  it('never because of another act, and never less because one is closed', () => {
    fc.assert(
      fc.property(someActs, someone, someone, someone, someone, (acts, actor, target, one, other) => {
        const [before, after] = [new Independence(acts), new Independence([...acts, made(actor, target)])];
        expect(after.areApart(one, other) && !before.areApart(one, other)).toBe(false);
      }),
      runs,
    );
  });

  it('never from themselves, and two puppets of one maker never from one another', () => {
    const independence = new Independence([made('maker', 'one'), made('maker', 'other')]);
    expect(independence.areApart('free', 'free')).toBe(false);
    expect(independence.areApart('one', 'other')).toBe(false);
    expect(independence.tie('one', 'other')).toMatchObject({ person_id: 'maker', act: { target_id: 'one', actor_id: 'maker' } });
    expect(independence.isApartFromAll('free', ['maker', 'one'])).toBe(true);
    expect(independence.isApartFromAll('free', ['maker', 'free'])).toBe(false);
  });

  it('although both have acted on one junior', () => {
    const independence = new Independence([made('one', 'junior'), made('other', 'junior')]);
    expect(independence.areApart('one', 'other')).toBe(true);
  });
});

describe('a tie', () => {
  it('is there exactly for two who are not apart, with somebody who stands behind both and an act that leads there', () => {
    fc.assert(
      fc.property(someActs, someone, someone, (acts, one, other) => {
        fc.pre(one !== other);
        const tie = new Independence(acts).tie(one, other);
        expect(tie === null).toBe(naiveApart(acts, one, other));
        if (tie === null) return;
        const [behindOne, behindOther] = [naiveBehind(acts, one), naiveBehind(acts, other)];
        expect(behindOne.has(tie.person_id) && behindOther.has(tie.person_id)).toBe(true);
        expect(acts).toContain(tie.act);
        expect(naiveBehind(acts, tie.act.actor_id).has(tie.person_id)).toBe(true);
        expect(behindOne.has(tie.act.target_id) || behindOther.has(tie.act.target_id)).toBe(true);
      }),
      runs,
    );
  });

  it('ends at the first time at which nothing ties any more', () => {
    const times = ['2026-06-01T00:00:00Z', '2026-07-01T00:00:00Z'];
    fc.assert(
      fc.property(someActs, someone, fc.subarray([...few], { minLength: 1, maxLength: 2 }), (acts, one, others) => {
        const at = (time: string) => acts.filter(({ closes_at }) => closes_at === null || closes_at > time);
        const isApart = (time: string) => others.every((other) => naiveApart(at(time), one, other));
        const used = times.filter((time) => acts.some(({ closes_at }) => closes_at === time));
        expect(new Independence(acts).apartFrom(one, others)).toBe(used.find(isApart) ?? null);
      }),
      runs,
    );
  });
});

describe('a pair', () => {
  it('are two who are apart', () => {
    fc.assert(
      fc.property(someActs, fc.subarray([...few]), (acts, people) => {
        const expected = people.some((one) => people.some((other) => naiveApart(acts, one, other)));
        expect(hasPair(people, new Independence(acts))).toBe(expected);
      }),
      runs,
    );
    expect(hasPair(['alone'], new Independence([]))).toBe(false);
  });

  it('are the last one when there is none any more without a certain person', () => {
    fc.assert(
      fc.property(someActs, fc.subarray([...few]), (acts, people) => {
        const isThere = (among: readonly string[]) => among.some((one) => among.some((other) => naiveApart(acts, one, other)));
        const endsWithOne = people.some((leaver) => !isThere(people.filter((id) => id !== leaver)));
        expect(isLastPair(people, new Independence(acts))).toBe(isThere(people) && endsWithOne);
      }),
      runs,
    );
    expect(isLastPair(['one', 'other'], new Independence([]))).toBe(true);
    expect(isLastPair(['one', 'other', 'third'], new Independence([]))).toBe(false);
  });
});
