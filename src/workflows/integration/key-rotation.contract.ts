import { TypedSearchAttributes } from '@temporalio/common';
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { RotationFacts, RotationFault, RotationNotification, RotationStatus } from '../../domain/integration/key-rotation.ts';
import { searchAttributes } from '../shared/search-attributes.ts';
import { workflowTaskTimeout } from '../shared/task-timeout.ts';

/** Name under which the workflow is registered. */
export const keyRotationWorkflowType = 'keyRotationWorkflow';

/** Which rotation is carried out. Ids only: keys are sealed in the row and opened inside one activity at a time. */
export interface KeyRotationRef {
  tenant_id: string;
  integration_id: string;
  rotation_id: string;
}

/** What the workflow starts with. */
export interface KeyRotationInput extends KeyRotationRef {
  /** How long a worker may be silent in a step before the step is tried again, in milliseconds. */
  heartbeat_timeout_ms: number;
  /** Pauses between tries before the switch; the rotation is given up when there have been this many failures and one. */
  step_delays_seconds: number[];
  /** Pauses between tries to revoke; the last one is repeated for ever. */
  revoke_delays_seconds: number[];
}

/** The defaults: minutes before the switch, then hours; a revoke is never given up. */
export const rotationDefaults = {
  heartbeat_timeout_ms: 6_000,
  step_delays_seconds: [1, 5, 15, 60, 120, 300, 600],
  revoke_delays_seconds: [5, 30, 120, 600, 1_800, 3_600],
} as const;

/** A failed try that is written down. */
export interface RotationTrouble extends KeyRotationRef {
  code: RotationFault;
  detail: string;
  /** Milliseconds since the epoch. */
  next_at: number;
}

/** The hands of the workflow; `src/activities/integration/key-rotation.activities.ts`. Steps that were made do nothing again. */
export interface KeyRotationActivities {
  readRotation(ref: KeyRotationRef): Promise<RotationFacts | null>;
  /** Checks first, then asks the remote service for a key and seals it into the row. */
  createRotationKey(ref: KeyRotationRef): Promise<void>;
  /** A live call with the new key. */
  proveRotationKey(ref: KeyRotationRef): Promise<void>;
  switchRotationKeys(input: KeyRotationRef & { at: number }): Promise<void>;
  beginRevokingKey(ref: KeyRotationRef): Promise<void>;
  /** Revokes the old key and proves by a live call that it is refused. */
  revokeRotatedKey(ref: KeyRotationRef): Promise<void>;
  /** Gives the rotation up; without a failure a person has called it off. */
  giveUpRotation(input: KeyRotationRef & { failure: { code: RotationFault; detail: string } | null }): Promise<void>;
  /** Revokes what the remote service has made for a rotation that was given up. */
  discardRotationKey(ref: KeyRotationRef): Promise<void>;
  noteRotationTrouble(input: RotationTrouble): Promise<void>;
  announceRotation(input: KeyRotationRef & { news: RotationNotification; attempt: number }): Promise<void>;
}

/** How the workflow ended. */
export interface KeyRotationResult {
  status: RotationStatus | 'missing';
}

/** Calls the rotation off before its switch; answers as soon as it cannot switch any more. */
export const abortRotationUpdate = defineUpdate<string, [{ rotation_id: string }]>('abort');
/** Tries the present step again at once. */
export const retryRotationSignal = defineSignal('retry');

/** Id of the one rotation of an integration (DESIGN: one at a time). */
export function keyRotationWorkflowId({ tenant_id, integration_id }: Omit<KeyRotationRef, 'rotation_id'>): string {
  return `rotation/${tenant_id}/${integration_id}`;
}

/** Everything but the task queue that a start needs. */
export function keyRotationStartOptions(ref: KeyRotationRef) {
  const { heartbeat_timeout_ms, step_delays_seconds, revoke_delays_seconds } = rotationDefaults;
  const input: KeyRotationInput = {
    ...ref,
    heartbeat_timeout_ms,
    step_delays_seconds: [...step_delays_seconds],
    revoke_delays_seconds: [...revoke_delays_seconds],
  };
  return {
    workflowId: keyRotationWorkflowId(ref),
    args: [input] as [KeyRotationInput],
    workflowTaskTimeout,
    typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.tenantId, value: ref.tenant_id }]),
    staticSummary: `Key rotation of integration ${ref.integration_id}`,
    staticDetails: `Rotation \`${ref.rotation_id}\`; its steps stand in \`admin_key_rotations\` and it goes on from there.`,
  };
}
