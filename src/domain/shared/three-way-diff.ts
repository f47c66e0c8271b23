import type { JsonObject, JsonValue } from './canonical.ts';
import { sameJson } from './canonical.ts';
import { pointerToken } from './json-pointer.ts';

/** One place at which three versions of a value do not all agree. */
interface ThreeWayDifference {
  /** JSON pointer (RFC 6901) of the place; an absent value on a side is an absent member here. */
  path: string;
  base?: JsonValue;
  current?: JsonValue;
  proposed?: JsonValue;
  /** True when both sides changed the place, and to different values. */
  conflict: boolean;
}

/**
 * The three-way difference of a change that was built on `base` while somebody else has changed that to `current`.
 * Objects are compared member by member; lists and scalars as a whole, because the order of a list carries meaning.
 * Places where all three agree are left out.
 */
export function threeWayDiff(base: JsonValue, current: JsonValue, proposed: JsonValue): ThreeWayDifference[] {
  return walk('', base, current, proposed);
}

function walk(
  path: string,
  base: JsonValue | undefined,
  current: JsonValue | undefined,
  proposed: JsonValue | undefined,
): ThreeWayDifference[] {
  if (isObject(base) && isObject(current) && isObject(proposed)) {
    const names = new Set([...Object.keys(base), ...Object.keys(current), ...Object.keys(proposed)]);
    return [...names]
      .sort()
      .flatMap((name) =>
        walk(`${path}/${pointerToken(name)}`, own(base, name), own(current, name), own(proposed, name)),
      );
  }
  const theirs = !same(base, current);
  const mine = !same(base, proposed);
  if (!theirs && !mine) return [];
  return [
    {
      path,
      ...(base === undefined ? {} : { base }),
      ...(current === undefined ? {} : { current }),
      ...(proposed === undefined ? {} : { proposed }),
      conflict: theirs && mine && !same(current, proposed),
    },
  ];
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function same(left: JsonValue | undefined, right: JsonValue | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return sameJson(left, right);
}
