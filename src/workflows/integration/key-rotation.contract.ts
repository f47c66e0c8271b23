import { TypedSearchAttributes } from '@temporalio/common';
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { RotationState, RotationFault, RotationNotification, RotationStatus } from '../../domain/integration/key-rotation.ts';
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
  /** How long a worker may send no heartbeat in a step before the step is attempted again, in milliseconds. */
  heartbeat_timeout_ms: number;
  /** Pauses between attempts before the switch; one failure more than pauses gives the rotation up. */
  step_delays_seconds: number[];
  /** Pauses between attempts to revoke; the last one is repeated without end. */
  revoke_delays_seconds: number[];
}

/** The defaults: attempts over minutes before the switch, over hours after it; revoking is never given up. */
const rotationDefaults = {
  heartbeat_timeout_ms: 6_000,
  step_delays_seconds: [1, 5, 15, 60, 120, 300, 600],
  revoke_delays_seconds: [5, 30, 120, 600, 1_800, 3_600],
} as const;

/** A failed attempt that is recorded. */
export interface RotationFailure extends KeyRotationRef {
  code: RotationFault;
  detail: string;
  /** Milliseconds since the epoch. */
  next_at: number;
}

/**
 * The activities of the workflow; implemented in `src/activities/integration/key-rotation.activities.ts`. Repeating a
 * completed step changes nothing.
 */
/** A rotation that ends before its switch: because of a failure, or because a person has asked for it. */
export interface GivenUpRotation extends KeyRotationRef {
  failure: { code: RotationFault; detail: string } | null;
  /** The command to be carried out (ADR 23). */
  command_id?: string;
}

export interface KeyRotationActivities {
  readRotation(ref: KeyRotationRef): Promise<RotationState | null>;
  /** Checks the present key, then has the remote service create one and seals it into the row. */
  createRotationKey(ref: KeyRotationRef): Promise<void>;
  /** Makes a live call with the new key. */
  proveRotationKey(ref: KeyRotationRef): Promise<void>;
  switchRotationKeys(input: KeyRotationRef & { at: number }): Promise<void>;
  beginRevokingKey(ref: KeyRotationRef): Promise<void>;
  /** Revokes the old key and proves by a live call that it is refused. */
  revokeRotatedKey(ref: KeyRotationRef): Promise<void>;
  /** Gives the rotation up; without a failure, because a person has aborted it. */
  giveUpRotation(input: GivenUpRotation): Promise<void>;
  /** Revokes the key that the remote service has created for a rotation that was given up. */
  discardRotationKey(ref: KeyRotationRef): Promise<void>;
  noteRotationTrouble(input: RotationFailure): Promise<void>;
  announceRotation(input: KeyRotationRef & { news: RotationNotification; attempt: number }): Promise<void>;
}

/** How the workflow ended. */
export interface KeyRotationResult {
  status: RotationStatus | 'missing';
}

/** Aborts the rotation before its switch; answers as soon as it cannot switch any more. */
export const abortRotationUpdate = defineUpdate<string, [{ rotation_id: string; command_id?: string }]>('abort');
/** Attempts the present step again at once. */
export const retryRotationSignal = defineSignal('retry');

/** Id of the rotation of an integration: one runs at a time. */
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
    staticDetails: `Rotation \`${ref.rotation_id}\`; its state is in \`admin_key_rotations\`, from which it continues.`,
  };
}
