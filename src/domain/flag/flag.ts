import type { JsonValue } from '../shared/canonical.ts';
import { pointerToken } from '../shared/json-pointer.ts';

/** The four value types of OpenFeature. */
export const flagValueTypes = ['boolean', 'string', 'number', 'object'] as const;

/** What kind of value every variant of a flag carries. */
export type FlagValueType = (typeof flagValueTypes)[number];

/** The comparisons a rule may make with an attribute of the evaluation context; semantics in flag-condition.ts. */
export const flagOperators = [
  'equals',
  'not_equals',
  'in',
  'not_in',
  'contains',
  'starts_with',
  'ends_with',
  'less_than',
  'less_or_equal',
  'greater_than',
  'greater_or_equal',
  'before',
  'after',
  'semver_less_than',
  'semver_greater_or_equal',
  'exists',
  'not_exists',
] as const;

/** One of {@link flagOperators}. */
export type FlagOperator = (typeof flagOperators)[number];

/** A scalar that a condition can compare with. */
export type FlagScalar = string | number | boolean;

// Types and not interfaces: these travel as JSON, and only a type alias is known to be a JSON object.

/** One comparison of a rule. `values` holds one value, any number for `in` and `not_in`, none for the `exists` pair. */
export type FlagCondition = {
  attribute: string;
  operator: FlagOperator;
  values: FlagScalar[];
};

/** A part of a rule's subjects: `percentage` of them (0–100, to thousandths) get `variant`. */
export type FlagShare = {
  variant: string;
  percentage: number;
};

/** A rule of an ordered list: the first whose tenants and conditions all hold decides. */
export type FlagRule = {
  name: string;
  /** The rule holds for these tenants; empty means for every tenant. */
  tenants: string[];
  /** All must hold; an empty list always does. */
  conditions: FlagCondition[];
  /** Who gets what; the percentages add up to 100. */
  serve: FlagShare[];
};

/** Everything that decides a flag's value in one environment: what is versioned, approved and compared. */
export type FlagDefinition = {
  description: string;
  value_type: FlagValueType;
  variants: Record<string, JsonValue>;
  /** False answers `off_variant` to everybody, whatever the rules say. */
  enabled: boolean;
  /** Served to `rollout_percentage` of the subjects that no rule decides. */
  on_variant: string;
  /** Served to the rest, and to everybody while the flag is disabled. */
  off_variant: string;
  /** 0–100, to thousandths; a plain toggle is the 0/100 case. */
  rollout_percentage: number;
  rules: FlagRule[];
  /** False: switching it off does harm of its own, so nobody does that alone in an emergency. */
  off_is_safe: boolean;
};

/** A definition as somebody proposes it. What it does not say of `off_is_safe` stays as it is; see {@link definitionOf}. */
export type FlagProposal = Omit<FlagDefinition, 'off_is_safe'> & { off_is_safe?: boolean | undefined };

/**
 * The whole definition of a proposal. A caller that does not know `off_is_safe` must not take it back unseen, so it is
 * kept where nothing is said of it; a new flag is safe to switch off.
 *
 * @param before the definition that is replaced; null for a new flag.
 */
export function definitionOf(proposal: FlagProposal, before: FlagDefinition | null): FlagDefinition {
  return { ...proposal, off_is_safe: proposal.off_is_safe ?? before?.off_is_safe ?? true };
}

/** What is wrong with a definition: `path` is a JSON pointer into it. */
interface FlagFault {
  path: string;
  message: string;
}

/**
 * The faults that a schema cannot see: variants that are not there or have another type, shares that do not add up,
 * operators with the wrong number or kind of values. An empty list means that the definition can be evaluated for every
 * context without an error.
 */
export function flagFaults(flag: FlagProposal): FlagFault[] {
  const faults: FlagFault[] = [];
  const known = (path: string, variant: string): void => {
    if (!Object.hasOwn(flag.variants, variant)) faults.push({ path, message: `there is no variant '${variant}'` });
  };
  for (const [name, value] of Object.entries(flag.variants)) {
    if (!hasValueType(value, flag.value_type)) {
      faults.push({ path: `/variants/${pointerToken(name)}`, message: `must be a value of type ${flag.value_type}` });
    }
  }
  known('/on_variant', flag.on_variant);
  known('/off_variant', flag.off_variant);
  if (!isPercentage(flag.rollout_percentage)) {
    faults.push({ path: '/rollout_percentage', message: percentageMessage });
  }
  flag.rules.forEach((rule, ruleIndex) => {
    rule.conditions.forEach((condition, index) => {
      const message = conditionFault(condition);
      if (message !== null) faults.push({ path: `/rules/${ruleIndex}/conditions/${index}`, message });
    });
    rule.serve.forEach((share, index) => {
      known(`/rules/${ruleIndex}/serve/${index}/variant`, share.variant);
      if (!isPercentage(share.percentage)) {
        faults.push({ path: `/rules/${ruleIndex}/serve/${index}/percentage`, message: percentageMessage });
      }
    });
    const total = rule.serve.reduce((sum, share) => sum + thousandths(share.percentage), 0);
    if (total !== 100_000)
      faults.push({ path: `/rules/${ruleIndex}/serve`, message: 'the percentages must add up to 100' });
  });
  return faults;
}

/** A flag switched wholly on or off: the 0/100 case of a rollout. Rules and variants stay as they are. */
export function toggled(flag: FlagDefinition, enabled: boolean): FlagDefinition {
  return { ...flag, enabled, rollout_percentage: enabled ? 100 : 0 };
}

/** A percentage as a whole number of thousandths of a percent, the unit of buckets. */
export function thousandths(percentage: number): number {
  return Math.round(percentage * 1000);
}

const percentageMessage = 'must be between 0 and 100 with at most three decimals';

function isPercentage(value: number): boolean {
  return value >= 0 && value <= 100 && Math.abs(value * 1000 - thousandths(value)) < 1e-6;
}

function hasValueType(value: JsonValue, type: FlagValueType): boolean {
  switch (type) {
    case 'boolean':
    case 'string':
    case 'number':
      return typeof value === type;
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
  }
}

function conditionFault({ operator, values }: FlagCondition): string | null {
  const one = values.length === 1;
  const [first] = values;
  switch (operator) {
    case 'exists':
    case 'not_exists':
      return values.length === 0 ? null : `${operator} takes no value`;
    case 'in':
    case 'not_in':
      return values.length > 0 ? null : `${operator} needs at least one value`;
    case 'equals':
    case 'not_equals':
      return one ? null : `${operator} takes exactly one value`;
    case 'contains':
    case 'starts_with':
    case 'ends_with':
      return one && typeof first === 'string' && first !== '' ? null : `${operator} takes exactly one non-empty text`;
    case 'less_than':
    case 'less_or_equal':
    case 'greater_than':
    case 'greater_or_equal':
      return one && typeof first === 'number' ? null : `${operator} takes exactly one number`;
    case 'before':
    case 'after':
      return one && instant(first) !== null ? null : `${operator} takes exactly one RFC 3339 time`;
    case 'semver_less_than':
    case 'semver_greater_or_equal':
      return one && semver(first) !== null ? null : `${operator} takes exactly one semantic version`;
  }
}

/** Milliseconds since the epoch of an RFC 3339 date-time with zone, or null when it is none. */
export function instant(value: unknown): number | null {
  if (typeof value !== 'string' || !rfc3339.test(value)) return null;
  const milliseconds = Date.parse(value);
  return Number.isNaN(milliseconds) ? null : milliseconds;
}

const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/u;

/** A semantic version (semver.org 2.0.0): three numbers and the pre-release identifiers; build metadata is dropped. */
export interface SemanticVersion {
  numbers: readonly [number, number, number];
  prerelease: readonly string[];
}

/** Reads a semantic version, or null when the text is none. */
export function semver(value: unknown): SemanticVersion | null {
  if (typeof value !== 'string' || value.length > 256) return null;
  const match = semverPattern.exec(value);
  if (match === null) return null;
  const [, major, minor, patch, prerelease] = match;
  return {
    numbers: [Number(major), Number(minor), Number(patch)],
    prerelease: prerelease === undefined ? [] : prerelease.split('.'),
  };
}

const semverPattern =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+[0-9a-zA-Z.-]+)?$/u;
