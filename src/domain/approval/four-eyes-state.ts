import { hasPair, isLastPair } from './independence.ts';
import type { Independence } from './independence.ts';

/** An active person who holds the right to decide. */
export interface Decider {
  readonly user_id: string;
  readonly is_administrator: boolean;
  readonly is_super_admin: boolean;
  /** False for somebody who was named from outside, or let in by such a person, until their decisions count (R12). */
  readonly counts: boolean;
}

/**
 * What a tenant should know before it needs a second person:
 *
 * - `no_pair`: no two administrators whose decisions count are apart, so that none can approve for another;
 * - `last_pair`: there would be none if a certain one of them left;
 * - `one_super_admin`: one person alone can do what is left to that role.
 */
export const fourEyesWarnings = ['no_pair', 'last_pair', 'one_super_admin'] as const;

/** One of {@link fourEyesWarnings}. */
export type FourEyesWarning = (typeof fourEyesWarnings)[number];

/** Whether a tenant has the persons that four eyes take. */
export interface FourEyesState {
  /** Two administrators are apart whose decisions count. */
  readonly has_pair: boolean;
  readonly decider_count: number;
  /** Of these, super admins. */
  readonly super_admin_count: number;
  readonly warnings: readonly FourEyesWarning[];
}

/**
 * True when the decisions of somebody count by a time (R12).
 *
 * @param from RFC 3339; null for somebody who never waited.
 * @param at milliseconds since the epoch.
 */
export function countsBy(from: string | null, at: number): boolean {
  return from === null || Date.parse(from) <= at;
}

/** The ids of the administrators among some deciders whose decisions count now. */
export function countingAdministrators(deciders: readonly Decider[]): string[] {
  return deciders.flatMap(({ user_id, is_administrator, counts }) => (is_administrator && counts ? [user_id] : []));
}

/**
 * Whether a tenant has a pair, and what endangers that.
 *
 * @param deciders all of the tenant.
 * @param independence of the administrators among them.
 */
export function fourEyesState(deciders: readonly Decider[], independence: Independence): FourEyesState {
  const administrators = countingAdministrators(deciders);
  const super_admin_count = deciders.filter(({ is_super_admin }) => is_super_admin).length;
  const has_pair = hasPair(administrators, independence);
  const isTrue: Readonly<Record<FourEyesWarning, boolean>> = {
    no_pair: !has_pair,
    last_pair: isLastPair(administrators, independence),
    one_super_admin: super_admin_count === 1,
  };
  const warnings = fourEyesWarnings.filter((warning) => isTrue[warning]);
  return { has_pair, decider_count: deciders.length, super_admin_count, warnings };
}
