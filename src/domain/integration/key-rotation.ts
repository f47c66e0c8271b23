import type { RemoteFault } from './integration.ts';

/**
 * The states of a key rotation (S2-21). Each step is recorded before the next one begins, so a worker that takes over after
 * a crash continues from the recorded state.
 *
 * - `requested`: the remote service was not asked for a key, or its answer was lost.
 * - `created`: the new key is sealed in the row.
 * - `verified`: a live call with the new key was accepted.
 * - `switched`: the integration uses the new key; the old one works until `grace_until`.
 * - `revoking`: the old key is being revoked and not yet known to be refused.
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

const transitions: Readonly<Record<RotationStatus, readonly RotationStatus[]>> = {
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
  return transitions[from].includes(to);
}

/** True for a final status. */
export function isEndedRotation(status: RotationStatus): boolean {
  return transitions[status].length === 0;
}

/** True until the integration uses the new key: until then a rotation can be aborted without effect on it. */
export function isBeforeSwitch(status: RotationStatus): boolean {
  return status === 'requested' || status === 'created' || status === 'verified';
}

/** Statuses that are not final; a unique index allows one such rotation for an integration. */
export const openRotationStatuses = rotationStatuses.filter((status) => !isEndedRotation(status));

/** Why a step failed; `still_accepted`: the old key works although it was revoked. */
export type RotationFault = RemoteFault | 'still_accepted' | 'conflict' | 'internal';

/** What the workflow of a rotation decides its next step on. */
export interface RotationState {
  status: RotationStatus;
  /** RFC 3339; null before the switch. */
  grace_until: string | null;
  revoke_attempts: number;
}

/** What the person who requested a rotation is notified of. */
export type RotationNotification = 'key-rotated' | 'rotation-failed' | 'revoke-failed';

/** The default grace period: how long the old key works after the switch, in seconds. */
export const defaultGraceSeconds = 24 * 3_600;

/**
 * The pause before the next attempt of a step that failed for a transient reason, in milliseconds.
 *
 * @param failures how often it has failed, from 1.
 * @param delaysSeconds pauses in their order; the last one is repeated.
 */
export function retryDelayMs(failures: number, delaysSeconds: readonly number[]): number {
  const index = Math.min(Math.max(failures, 1), delaysSeconds.length) - 1;
  return (delaysSeconds[index] ?? 60) * 1_000;
}
