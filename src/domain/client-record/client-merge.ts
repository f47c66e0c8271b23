import { sameJson } from '../shared/canonical.ts';
import type { ClientAddress } from './client.ts';

/** What a client can take from one that is merged into it. Numbers stay where they are: they belong to one record for good. */
export const mergeFields = ['name', 'birth_date', 'email', 'phone_number', 'address', 'contact_id', 'prospect_id'] as const;
export type MergeField = (typeof mergeFields)[number];

/** The values of a client in these fields. */
export interface MergeValues {
  readonly name: string;
  /** `YYYY-MM-DD` */
  readonly birth_date: string | null;
  readonly email: string | null;
  readonly phone_number: string | null;
  readonly address: ClientAddress | null;
  readonly contact_id: string | null;
  readonly prospect_id: number | null;
}

/** How long a merge can be undone, and what it replaced is kept. */
export const undoDays = 30;

/**
 * The fields whose values pass to the client that stays: those that are wanted, and those in which it has nothing, wherever the
 * other one has something else.
 */
export function fieldsToTake(client: MergeValues, merged: MergeValues, wanted: readonly MergeField[]): MergeField[] {
  return mergeFields.filter(
    (field) =>
      merged[field] !== null && (client[field] === null || wanted.includes(field)) && !sameJson(client[field], merged[field]),
  );
}

/**
 * The fields that go back to what they were when a merge is undone: those that still have the value that was taken. What somebody
 * has changed since stays.
 */
export function fieldsToPutBack(client: MergeValues, merged: MergeValues, taken: readonly MergeField[]): MergeField[] {
  return taken.filter((field) => sameJson(client[field], merged[field]));
}

/** The values of some fields. */
export function valuesOf(values: MergeValues, fields: readonly MergeField[]): Partial<MergeValues> {
  return Object.fromEntries(fields.map((field) => [field, values[field]]));
}
