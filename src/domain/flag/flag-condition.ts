import type { JsonValue } from '../shared/canonical.ts';
import type { FlagCondition, FlagScalar, SemanticVersion } from './flag.ts';
import { instant, semver } from './flag.ts';

/**
 * Whether an attribute of the evaluation context satisfies a condition.
 *
 * A comparison with an attribute that is missing, null or of another type does not hold, negative comparisons included,
 * and nothing is converted (`"5"` is not `5`). Only `not_exists` holds for a missing attribute. An attribute that is a
 * list satisfies `in` when one of its members does and `contains` when one equals.
 */
export function conditionHolds(condition: FlagCondition, attribute: JsonValue | undefined): boolean {
  const { operator, values } = condition;
  const present = attribute !== undefined && attribute !== null;
  if (operator === 'exists') return present;
  if (operator === 'not_exists') return !present;
  const [first] = values;
  if (!present || (first === undefined && operator !== 'in' && operator !== 'not_in')) return false;
  switch (operator) {
    case 'equals':
      return attribute === first;
    case 'not_equals':
      return typeof attribute === typeof first && attribute !== first;
    case 'in':
      return isList(attribute) ? attribute.some((member) => isAmong(member, values)) : isAmong(attribute, values);
    case 'not_in':
      return isList(attribute)
        ? !attribute.some((member) => isAmong(member, values))
        : values.some((value) => typeof value === typeof attribute) && !isAmong(attribute, values);
    case 'contains':
      if (isList(attribute)) return attribute.some((member) => member === first);
      return bothTexts(attribute, first, (text, part) => text.includes(part));
    case 'starts_with':
      return bothTexts(attribute, first, (text, part) => text.startsWith(part));
    case 'ends_with':
      return bothTexts(attribute, first, (text, part) => text.endsWith(part));
    case 'less_than':
      return bothNumbers(attribute, first, (left, right) => left < right);
    case 'less_or_equal':
      return bothNumbers(attribute, first, (left, right) => left <= right);
    case 'greater_than':
      return bothNumbers(attribute, first, (left, right) => left > right);
    case 'greater_or_equal':
      return bothNumbers(attribute, first, (left, right) => left >= right);
    case 'before':
      return bothInstants(attribute, first, (left, right) => left < right);
    case 'after':
      return bothInstants(attribute, first, (left, right) => left > right);
    case 'semver_less_than':
      return bothVersions(attribute, first, (order) => order < 0);
    case 'semver_greater_or_equal':
      return bothVersions(attribute, first, (order) => order >= 0);
  }
}

/** Order of two semantic versions by semver.org 2.0.0 §11: negative, zero or positive. */
function compareSemver(left: SemanticVersion, right: SemanticVersion): number {
  for (const index of [0, 1, 2] as const) {
    const order = left.numbers[index] - right.numbers[index];
    if (order !== 0) return order;
  }
  // A version without pre-release comes after every pre-release of it.
  if (left.prerelease.length === 0 || right.prerelease.length === 0) {
    return right.prerelease.length - left.prerelease.length;
  }
  const shared = Math.min(left.prerelease.length, right.prerelease.length);
  for (let index = 0; index < shared; index += 1) {
    const order = compareIdentifier(left.prerelease[index] ?? '', right.prerelease[index] ?? '');
    if (order !== 0) return order;
  }
  return left.prerelease.length - right.prerelease.length;
}

function compareIdentifier(left: string, right: string): number {
  const leftIsNumber = digits.test(left);
  const rightIsNumber = digits.test(right);
  if (leftIsNumber && rightIsNumber) return Number(left) - Number(right);
  if (leftIsNumber !== rightIsNumber) return leftIsNumber ? -1 : 1;
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

const digits = /^\d+$/u;

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function isAmong(value: JsonValue, values: readonly FlagScalar[]): boolean {
  return values.some((candidate) => candidate === value);
}

function bothTexts(
  left: JsonValue,
  right: FlagScalar | undefined,
  holds: (left: string, right: string) => boolean,
): boolean {
  return typeof left === 'string' && typeof right === 'string' && holds(left, right);
}

function bothNumbers(
  left: JsonValue,
  right: FlagScalar | undefined,
  holds: (left: number, right: number) => boolean,
): boolean {
  return typeof left === 'number' && typeof right === 'number' && holds(left, right);
}

function bothInstants(
  left: JsonValue,
  right: FlagScalar | undefined,
  holds: (left: number, right: number) => boolean,
): boolean {
  const [from, to] = [instant(left), instant(right)];
  return from !== null && to !== null && holds(from, to);
}

function bothVersions(left: JsonValue, right: FlagScalar | undefined, holds: (order: number) => boolean): boolean {
  const [version, wanted] = [semver(left), semver(right)];
  return version !== null && wanted !== null && holds(compareSemver(version, wanted));
}
