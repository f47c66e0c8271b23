import { sameJson } from '../shared/canonical.ts';
import type { JsonValue } from '../shared/canonical.ts';
import type { ChangeDetail } from './approval-presentation.ts';

/**
 * The members that differ between two objects, as approvers read them.
 *
 * @param before null where there was nothing.
 * @param after what is there then; members it does not have stay.
 */
export function changesBetween(
  before: Readonly<Record<string, JsonValue | undefined>> | null,
  after: Readonly<Record<string, JsonValue | undefined>>,
): ChangeDetail[] {
  return Object.entries(after).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const old = before?.[name] ?? null;
    return sameJson(old, value) ? [] : [{ field: name.replaceAll('_', ' '), before: old, after: value }];
  });
}
