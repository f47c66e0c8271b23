import { ApplicationFailure } from '@temporalio/common';
import {
  beginRevoking,
  completeRotation,
  endDiscarded,
  giveUp,
  saveNewKey,
  lockRotation,
  markCreation,
  markVerified,
  noteFailure,
  openRotationKeys,
  switchKeys,
} from '../../services/integration/key-rotation.repository.ts';
import type { RotationKeys } from '../../services/integration/key-rotation.repository.ts';
import { carryOut } from '../../services/commands/command.repository.ts';
import { putRefresh } from '../../services/commands/workflow-start.repository.ts';
import { systemActor } from '../../domain/shared/actor.ts';
import type { RotationState, RotationNotification } from '../../domain/integration/key-rotation.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { Problem } from '../../platform/problem.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { keyRotationWorkflowId } from '../../workflows/integration/key-rotation.contract.ts';
import type { KeyRotationActivities, KeyRotationRef } from '../../workflows/integration/key-rotation.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { withHeartbeat } from './heartbeat.ts';
import { connectHttp } from './http-key-service.ts';
import { RemoteError } from './remote-fault.ts';
import { withRemoteFaults } from './remote-source.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'keyring' | 'outbound' | 'temporal'>;

/** The activities of `keyRotationWorkflow`. Each opens the keys that it needs, uses them, and keeps none. */
export function createKeyRotationActivities(deps: Deps): KeyRotationActivities {
  const { keyring } = deps;
  const write = <Result>(ref: KeyRotationRef, work: (tx: Tx) => Promise<Result>) =>
    asActivity(() => inRotation(deps, ref, work));
  const remote = (ref: KeyRotationRef, work: (ref: KeyRotationRef) => Promise<void>) =>
    asActivity(() => withHeartbeat(() => withRemoteFaults(() => work(ref))));
  return {
    readRotation: (ref) => write(ref, (tx) => stateOf(tx, ref.rotation_id)),
    createRotationKey: (ref) => remote(ref, () => createKey(deps, ref)),
    proveRotationKey: (ref) => remote(ref, () => proveKey(deps, ref)),
    switchRotationKeys: ({ at, ...ref }) => write(ref, (tx) => switchKeys(tx, keyring, ref.rotation_id, at)),
    beginRevokingKey: (ref) => write(ref, (tx) => beginRevoking(tx, ref.rotation_id)),
    revokeRotatedKey: (ref) => remote(ref, () => revokeOldKey(deps, ref)),
    giveUpRotation: ({ failure, command_id, ...ref }) =>
      write(ref, (tx) =>
        carryOut(tx, keyring, command_id, async () => {
          const isGivenUp = await giveUp(tx, ref.rotation_id, failure);
          if (isGivenUp) putRefresh(tx, command_id, 'rotation-retry', { integration_id: ref.integration_id });
          if (isGivenUp || command_id === undefined) return;
          throw new Problem({ code: 'integration.rotation-switched', detail: 'The rotation is past its switch, or given up already.' });
        }),
      ),
    discardRotationKey: (ref) => remote(ref, () => discardNewKey(deps, ref)),
    noteRotationTrouble: ({ code, detail, next_at, ...ref }) =>
      write(ref, (tx) => noteFailure(tx, ref.rotation_id, { code, detail, next_at })),
    announceRotation: ({ news, attempt, ...ref }) => asActivity(() => notifyRequester(deps, ref, news, attempt)),
  };
}

function inRotation<Result>(deps: Deps, ref: KeyRotationRef, work: (tx: Tx) => Promise<Result>): Promise<Result> {
  const actor = systemActor(ref.tenant_id, { workflow_id: keyRotationWorkflowId(ref) });
  return unitOfWork(deps.db, actor, work);
}

function keysOf(deps: Deps, ref: KeyRotationRef): Promise<RotationKeys> {
  return inRotation(deps, ref, (tx) => openRotationKeys(tx, deps.keyring, ref.rotation_id));
}

async function stateOf(tx: Tx, id: string): Promise<RotationState | null> {
  try {
    const { status, grace_until, revoke_attempts } = await lockRotation(tx, id);
    return { status, grace_until, revoke_attempts };
  } catch (error) {
    if (error instanceof Problem && error.code === 'resource.not-found') return null;
    throw error;
  }
}

/**
 * Checks that the present key works before anything is changed, then has a new one created. The rotation's id is sent as
 * Idempotency-Key: after a crash between the answer and our row, the service gives the same key again.
 */
async function createKey(deps: Deps, ref: KeyRotationRef): Promise<void> {
  const { rotation, config, current } = await keysOf(deps, ref);
  if (rotation.status !== 'requested') return;
  const service = connectHttp(deps.outbound, config, current);
  await service.probe();
  if (!(await inRotation(deps, ref, (tx) => markCreation(tx, ref.rotation_id)))) return;
  const key = await service.createKey(ref.rotation_id);
  if (key.secret === current || key.key_id === rotation.old_key_id) {
    throw new RemoteError('unexpected', 'The service gave the present key instead of a new one.');
  }
  await inRotation(deps, ref, (tx) => saveNewKey(tx, deps.keyring, ref.rotation_id, key));
}

async function proveKey(deps: Deps, ref: KeyRotationRef): Promise<void> {
  const { rotation, config, fresh } = await keysOf(deps, ref);
  if (rotation.status !== 'created' || fresh === null) return;
  await connectHttp(deps.outbound, config, fresh).probe();
  await inRotation(deps, ref, (tx) => markVerified(tx, ref.rotation_id));
}

/** Revokes the old key with the new one, then tries the old one: only a refusal proves that it is revoked. */
async function revokeOldKey(deps: Deps, ref: KeyRotationRef): Promise<void> {
  const { rotation, config, current, old } = await keysOf(deps, ref);
  if (rotation.status !== 'revoking' || old === null) return;
  await connectHttp(deps.outbound, config, current).revokeKey(rotation.old_key_id);
  await assertRefused(() => connectHttp(deps.outbound, config, old).probe());
  await inRotation(deps, ref, (tx) => completeRotation(tx, ref.rotation_id));
}

/** Revokes the key that was created for a rotation that was given up, even if the answer with the key was lost. */
async function discardNewKey(deps: Deps, ref: KeyRotationRef): Promise<void> {
  const { rotation, config, current } = await keysOf(deps, ref);
  if (rotation.status !== 'discarding') return;
  if (rotation.creation_started_at !== null) {
    const service = connectHttp(deps.outbound, config, current);
    const keyId = rotation.new_key_id ?? (await recoverKeyId(deps, ref, () => service.createKey(ref.rotation_id)));
    if (keyId !== null && keyId !== rotation.old_key_id) await service.revokeKey(keyId);
  }
  await inRotation(deps, ref, (tx) => endDiscarded(tx, ref.rotation_id));
}

/**
 * The id of a key whose creation was requested and never answered: repeating the request with the same Idempotency-Key
 * gives the same key. Null where the repetition is refused, because then the first request created none either.
 */
async function recoverKeyId(
  deps: Deps,
  ref: KeyRotationRef,
  createAgain: () => Promise<{ key_id: string; secret: string }>,
): Promise<string | null> {
  try {
    const key = await createAgain();
    await inRotation(deps, ref, (tx) => saveNewKey(tx, deps.keyring, ref.rotation_id, key));
    return key.key_id;
  } catch (error) {
    if (error instanceof RemoteError && (error.fault === 'refused' || error.fault === 'unexpected')) return null;
    throw error;
  }
}

async function assertRefused(probe: () => Promise<void>): Promise<void> {
  try {
    await probe();
  } catch (error) {
    if (error instanceof RemoteError && error.fault === 'refused') return;
    throw error;
  }
  throw ApplicationFailure.retryable('The old key was revoked and is still accepted.', 'still_accepted');
}

const headlines = {
  'key-rotated': 'The key of an integration was rotated; the old one is refused',
  'rotation-failed': 'The key of an integration could not be rotated; the old one stays in use',
  'revoke-failed': 'The old key of an integration could not be revoked yet',
} as const satisfies Record<RotationNotification, string>;

/** Notifies the channels and the person who requested the rotation. Keys are named by their ids. */
async function notifyRequester(deps: Deps, ref: KeyRotationRef, kind: RotationNotification, attempt: number): Promise<void> {
  const { requested_by, error_code, error_detail } = await inRotation(deps, ref, (tx) => lockRotation(tx, ref.rotation_id));
  const { tenant_id, integration_id, rotation_id } = ref;
  const url = new URL(`/admin/integrations/${integration_id}/rotations/${rotation_id}`, deps.env.PUBLIC_URL).href;
  const why = error_detail === null ? '' : ` ${error_detail}`;
  await createNotify(deps)(
    systemActor(tenant_id, { workflow_id: keyRotationWorkflowId(ref) }),
    {
      event: `integration.${kind}`,
      event_key: `integration/${integration_id}/rotation/${rotation_id}/${kind}/${attempt}`,
      subject: headlines[kind],
      text: `${headlines[kind]}.${why}\n\nIntegration ${integration_id}, rotation ${rotation_id}.\n\n${url}`,
      data: { integration_id, rotation_id, attempt, error_code },
    },
    requested_by === null ? [] : [requested_by],
  );
}
