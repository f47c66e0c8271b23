import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { definitionOf, flagFaults, toggled } from '../../../src/domain/flag/flag.ts';
import type { FlagCondition, FlagDefinition, FlagRule } from '../../../src/domain/flag/flag.ts';
import { conditionHolds } from '../../../src/domain/flag/flag-condition.ts';
import { threeWayDiff } from '../../../src/domain/shared/three-way-diff.ts';
import { evaluateFlag } from '../../../src/domain/flag/flag-evaluation.ts';

const tenant = '5f0c4a52-8d4e-4a55-9f0b-0d2f5a3f7f01';
const otherTenant = 'c6b3b9d0-7b39-4d0b-8a2b-90b45d1de502';

function flag(changes: Partial<FlagDefinition> = {}): FlagDefinition {
  return {
    description: '',
    value_type: 'boolean',
    variants: { on: true, off: false },
    enabled: true,
    on_variant: 'on',
    off_variant: 'off',
    rollout_percentage: 100,
    rules: [],
    off_is_safe: true,
    ...changes,
  };
}

function rule(changes: Partial<FlagRule> = {}): FlagRule {
  return { name: 'rule', tenants: [], conditions: [], serve: [{ variant: 'on', percentage: 100 }], ...changes };
}

describe('flag evaluation (S2-14, X-21)', () => {
  it('serves the off variant of a disabled flag with the reason DISABLED, whatever the rules say', () => {
    const disabled = flag({ enabled: false, rules: [rule()] });
    expect(evaluateFlag('f', disabled, {}, tenant)).toMatchObject({ value: false, variant: 'off', reason: 'DISABLED' });
  });

  it('is STATIC at 0 and 100 without rules, DEFAULT behind rules', () => {
    const asked = rule({ conditions: [{ attribute: 'plan', operator: 'equals', values: ['pro'] }] });
    expect(evaluateFlag('f', flag(), {}, tenant)).toMatchObject({ value: true, reason: 'STATIC' });
    expect(evaluateFlag('f', flag({ rollout_percentage: 0 }), {}, tenant)).toMatchObject({
      value: false,
      reason: 'STATIC',
    });
    expect(evaluateFlag('f', flag({ rules: [asked] }), {}, tenant)).toMatchObject({ value: true, reason: 'DEFAULT' });
  });

  it('lets the first rule that holds decide', () => {
    const variants = { a: 'a', b: 'b', off: '' };
    const ordered = flag({
      value_type: 'string',
      variants,
      on_variant: 'a',
      rules: [
        rule({
          name: 'b for pro',
          conditions: [{ attribute: 'plan', operator: 'equals', values: ['pro'] }],
          serve: [{ variant: 'b', percentage: 100 }],
        }),
        rule({ name: 'a for all', serve: [{ variant: 'a', percentage: 100 }] }),
      ],
    });
    expect(evaluateFlag('f', ordered, { plan: 'pro' }, tenant)).toMatchObject({
      value: 'b',
      reason: 'TARGETING_MATCH',
      rule: 'b for pro',
    });
    expect(evaluateFlag('f', ordered, {}, tenant)).toMatchObject({ value: 'a', rule: 'a for all' });
  });

  it('targets the tenant of the caller unless the context names one', () => {
    const targeted = flag({ rollout_percentage: 0, rules: [rule({ tenants: [otherTenant] })] });
    expect(evaluateFlag('f', targeted, {}, tenant)).toMatchObject({ value: false, reason: 'DEFAULT' });
    expect(evaluateFlag('f', targeted, { tenant_id: otherTenant }, tenant)).toMatchObject({
      reason: 'TARGETING_MATCH',
    });
    expect(evaluateFlag('f', targeted, {}, otherTenant)).toMatchObject({ value: true });
  });

  it('requires a targeting key only where a split decides', () => {
    expect(evaluateFlag('f', flag({ rollout_percentage: 50 }), {}, tenant)).toEqual({
      outcome: 'targeting-key-missing',
    });
    expect(evaluateFlag('f', flag({ rollout_percentage: 100 }), {}, tenant)).toMatchObject({ outcome: 'served' });
  });

  it('keeps the variant of those who have it when a rollout grows, and serves about the given share', () => {
    const subjects = Array.from({ length: 4_000 }, (_, index) => `subject-${index}`);
    const included = (percentage: number) =>
      new Set(
        subjects.filter((targetingKey) => {
          const result = evaluateFlag('f', flag({ rollout_percentage: percentage }), { targetingKey }, tenant);
          return result.outcome === 'served' && result.variant === 'on';
        }),
      );
    const steps = [0, 1, 10, 33.333, 50, 99.999, 100].map((percentage) => ({
      percentage,
      members: included(percentage),
    }));
    steps.forEach(({ percentage, members }, index) => {
      expect(Math.abs(members.size / 40 - percentage)).toBeLessThan(3);
      const previous = steps[index - 1]?.members ?? new Set<string>();
      expect([...previous].every((subject) => members.has(subject))).toBe(true);
    });
  });

  it('serves a declared variant to every context when the definition has no fault', () => {
    fc.assert(
      fc.property(
        arbitraryFlag,
        fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue()),
        fc.string({ minLength: 1 }),
        (definition, attributes, targetingKey) => {
          fc.pre(flagFaults(definition).length === 0);
          const result = evaluateFlag('f', definition, { ...attributes, targetingKey }, tenant);
          expect(result.outcome).toBe('served');
          if (result.outcome === 'served') expect(definition.variants).toHaveProperty([result.variant], result.value);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('flag definition', () => {
  it('keeps what a proposal does not say of `off_is_safe`; a new flag is safe to switch off', () => {
    const { off_is_safe: _unsaid, ...proposal } = flag();
    expect(definitionOf(proposal, null).off_is_safe).toBe(true);
    for (const off_is_safe of [true, false]) {
      expect(definitionOf(proposal, flag({ off_is_safe })).off_is_safe).toBe(off_is_safe);
      expect(definitionOf({ ...proposal, off_is_safe }, flag({ off_is_safe: !off_is_safe })).off_is_safe).toBe(off_is_safe);
    }
  });

  it('reports every fault with its place', () => {
    const broken = flag({
      variants: { on: true, off: 'no' },
      on_variant: 'missing',
      rollout_percentage: 101,
      rules: [
        rule({
          serve: [{ variant: 'on', percentage: 50 }],
          conditions: [{ attribute: 'a', operator: 'less_than', values: ['x'] }],
        }),
      ],
    });
    expect(flagFaults(broken).map((fault) => fault.path)).toEqual([
      '/variants/off',
      '/on_variant',
      '/rollout_percentage',
      '/rules/0/conditions/0',
      '/rules/0/serve',
    ]);
  });

  it('does not take an inherited member for a variant', () => {
    expect(flagFaults(flag({ on_variant: 'constructor' }))).toHaveLength(1);
  });

  it('toggles to exactly 0 or 100 % and keeps rules and variants (X-21)', () => {
    const before = flag({ rollout_percentage: 25, rules: [rule()] });
    expect(toggled(before, false)).toEqual({ ...before, enabled: false, rollout_percentage: 0 });
    expect(toggled(before, true)).toEqual({ ...before, enabled: true, rollout_percentage: 100 });
  });
});

describe('flag conditions', () => {
  const holds = (operator: FlagCondition['operator'], values: FlagCondition['values'], attribute: unknown) =>
    conditionHolds({ attribute: 'a', operator, values }, attribute as never);

  it('do not hold for a missing attribute, except not_exists', () => {
    for (const operator of [
      'equals',
      'not_equals',
      'in',
      'not_in',
      'contains',
      'starts_with',
      'less_than',
      'after',
    ] as const) {
      expect(holds(operator, ['x'], undefined)).toBe(false);
      expect(holds(operator, ['x'], null)).toBe(false);
    }
    expect(holds('exists', [], undefined)).toBe(false);
    expect(holds('not_exists', [], undefined)).toBe(true);
    expect(holds('not_exists', [], '')).toBe(false);
  });

  it('convert no types', () => {
    expect(holds('equals', [5], '5')).toBe(false);
    expect(holds('not_equals', [5], '5')).toBe(false);
    expect(holds('greater_than', [4], '5')).toBe(false);
    expect(holds('in', ['1'], 1)).toBe(false);
    expect(holds('not_in', ['1'], 1)).toBe(false);
  });

  it('compare texts, numbers, lists, times and versions', () => {
    expect(holds('contains', ['ell'], 'hello')).toBe(true);
    expect(holds('contains', ['a'], ['a', 'b'])).toBe(true);
    expect(holds('in', ['b', 'c'], ['a', 'b'])).toBe(true);
    expect(holds('not_in', ['c'], ['a', 'b'])).toBe(true);
    expect(holds('less_or_equal', [5], 5)).toBe(true);
    expect(holds('before', ['2026-01-01T00:00:00Z'], '2025-12-31T23:59:59+00:00')).toBe(true);
    expect(holds('after', ['2026-01-01T00:00:00+02:00'], '2026-01-01T00:00:00+01:00')).toBe(true);
    expect(holds('after', ['2026-01-01T00:00:00Z'], 'tomorrow')).toBe(false);
    expect(holds('semver_greater_or_equal', ['1.10.0'], '1.9.9')).toBe(false);
    expect(holds('semver_greater_or_equal', ['1.10.0'], '1.10.0')).toBe(true);
    expect(holds('semver_less_than', ['1.0.0'], '1.0.0-rc.1')).toBe(true);
    expect(holds('semver_less_than', ['1.0.0-rc.2'], '1.0.0-rc.10')).toBe(false);
  });
});

describe('three-way difference', () => {
  it('says which side has changed a place, and where both have changed it differently', () => {
    const base = { enabled: false, rollout_percentage: 0, variants: { on: 1, off: 0 } };
    const current = { enabled: true, rollout_percentage: 10, variants: { on: 1, off: 0 } };
    const proposed = { enabled: true, rollout_percentage: 50, variants: { on: 2, off: 0 } };
    expect(threeWayDiff(base, current, proposed)).toEqual([
      { path: '/enabled', base: false, current: true, proposed: true, conflict: false },
      { path: '/rollout_percentage', base: 0, current: 10, proposed: 50, conflict: true },
      { path: '/variants/on', base: 1, current: 1, proposed: 2, conflict: false },
    ]);
  });

  it('shows additions and removals as absent members, with escaped pointers', () => {
    expect(threeWayDiff({ 'a/b': 1 }, {}, { 'a/b': 1, '~': 2 })).toEqual([
      { path: '/a~1b', base: 1, proposed: 1, conflict: false },
      { path: '/~0', proposed: 2, conflict: false },
    ]);
  });

  it('is empty exactly when all three agree, and has no conflict when one side changed nothing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (base, changed) => {
        expect(threeWayDiff(base as never, base as never, base as never)).toEqual([]);
        expect(threeWayDiff(base as never, base as never, changed as never).some((place) => place.conflict)).toBe(
          false,
        );
        expect(threeWayDiff(base as never, changed as never, base as never).some((place) => place.conflict)).toBe(
          false,
        );
      }),
    );
  });
});

const arbitraryVariant = fc.constantFrom('a', 'b', 'c');
const arbitraryFlag: fc.Arbitrary<FlagDefinition> = fc.record({
  description: fc.constant(''),
  value_type: fc.constant('number' as const),
  variants: fc.constant({ a: 1, b: 2, c: 3 }),
  enabled: fc.boolean(),
  on_variant: arbitraryVariant,
  off_variant: arbitraryVariant,
  rollout_percentage: fc.integer({ min: 0, max: 100_000 }).map((value) => value / 1000),
  off_is_safe: fc.boolean(),
  rules: fc.array(
    fc.record({
      name: fc.string(),
      tenants: fc.subarray([tenant, otherTenant]),
      conditions: fc.array(
        fc.record({
          attribute: fc.constantFrom('a', 'b', '__proto__'),
          operator: fc.constantFrom('equals' as const, 'not_equals' as const),
          values: fc
            .tuple(fc.oneof(fc.string({ maxLength: 2 }), fc.integer({ max: 3 }), fc.boolean()))
            .map((values) => [...values]),
        }),
        { maxLength: 2 },
      ),
      serve: fc.integer({ min: 0, max: 100_000 }).chain((first) =>
        fc.tuple(arbitraryVariant, arbitraryVariant).map(([one, two]) => [
          { variant: one, percentage: first / 1000 },
          { variant: two, percentage: (100_000 - first) / 1000 },
        ]),
      ),
    }),
    { maxLength: 3 },
  ),
});
