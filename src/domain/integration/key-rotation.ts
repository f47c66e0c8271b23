import type { RemoteFault } from './integration.ts';

/**
 * Where a key rotation stands (S2-21). What is done is written in the row before the next step begins, so whoever picks
 * the rotation up after a crash goes on from here.
 *
 * - `requested`: nothing has been asked of the remote service, or the answer to it was lost.
 * - `created`: the new key lies sealed in the row.
 * - `verified`: a live call with the new key was accepted.
 * - `switched`: the integration uses the new key; the old one works until `grace_until`.
 * - `revoking`: the old key is being revoked, and is not known to be refused yet.
 * - `discarding`: the rotation was given up before the switch and its new key is being revoked.
 */
export const rotationStatuses = [
  'requested',
  'created',
  'verified',
  'switched',
  'revoking',
  'discarding',
  'completed',
  'aborted',
  'failed',
] as const;

export type RotationStatus = (typeof rotationStatuses)[number];

const moves: Readonly<Record<RotationStatus, readonly RotationStatus[]>> = {
  requested: ['created', 'discarding', 'aborted', 'failed'],
  created: ['verified', 'discarding'],
  verified: ['switched', 'discarding'],
  switched: ['revoking'],
  revoking: ['completed'],
  discarding: ['aborted', 'failed'],
  completed: [],
  aborted: [],
  failed: [],
};

/** True when a rotation may go from one status to the other. */
export function canMoveRotation(from: RotationStatus, to: RotationStatus): boolean {
  return moves[from].includes(to);
}

/** True when nothing is left to be done. */
export function isEndedRotation(status: RotationStatus): boolean {
  return moves[status].length === 0;
}

/** True until the integration uses the new key: up to there a rotation can be called off without a trace. */
export function isBeforeSwitch(status: RotationStatus): boolean {
  return status === 'requested' || status === 'created' || status === 'verified';
}

/** Statuses of a rotation that goes on, for the index that allows one at a time. */
export const openRotationStatuses = rotationStatuses.filter((status) => !isEndedRotation(status));

/** What can go wrong with a step; `still_accepted`: the old key works although it was revoked. */
export type RotationFault = RemoteFault | 'still_accepted' | 'conflict' | 'internal';

/** What the workflow of a rotation looks at. */
export interface RotationFacts {
  status: RotationStatus;
  /** RFC 3339; null before the switch. */
  grace_until: string | null;
  revoke_attempts: number;
}

/** News of a rotation for whoever asked for it. */
export type RotationNotification = 'key-rotated' | 'rotation-failed' | 'revoke-failed';

/** How long the old key works after the switch where nothing else is said, in seconds. */
export const defaultGraceSeconds = 24 * 3_600;

/**
 * The pause before the next try of a step that failed for a passing reason, in milliseconds.
 *
 * @param failures how often it has failed, from 1.
 * @param delaysSeconds pauses in their order; the last one is repeated.
 */
export function retryDelayMs(failures: number, delaysSeconds: readonly number[]): number {
  const index = Math.min(Math.max(failures, 1), delaysSeconds.length) - 1;
  return (delaysSeconds[index] ?? 60) * 1_000;
}
