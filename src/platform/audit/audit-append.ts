import { hash, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { Actor } from '../../domain/shared/actor.ts';
import { auditAreaOf, tenantOfChain } from '../../domain/audit/audit-entry.ts';
import type { AuditEntry, AuditRecord } from '../../domain/audit/audit-entry.ts';
import { canonicalJson } from '../../domain/shared/canonical.ts';
import type { PersonKeyMap } from './audit-person-keys.ts';
import { bounded, privatePart } from './audit-private.ts';
import { payloadDigest } from '../security/digest.ts';
import { jsonLines } from '../database/json-lines.ts';
import { activeTraceId } from '../observability/tracing.ts';

export type { AuditEntry } from '../../domain/audit/audit-entry.ts';

/** An entry in the form that is hashed and stored. */
interface SealedEntry {
  /** RFC 8785 text of the {@link AuditRecord}. */
  readonly entry: string;
  /** RFC 8785 text of the {@link AuditPrivate}. */
  readonly private: string;
}

/** The effective permissions of an actor, as the chain commits to them. */
interface PermissionSet {
  readonly text: string;
  readonly digest: string;
}

const permissionSets = new WeakMap<readonly string[], PermissionSet>();

/** Actors share their permission list between requests, so the digest is computed once a list. */
function permissionSetOf(permissions: readonly string[]): PermissionSet {
  let set = permissionSets.get(permissions);
  if (set === undefined) {
    const sorted = permissions.toSorted();
    set = { text: canonicalJson(sorted), digest: payloadDigest(sorted) };
    permissionSets.set(permissions, set);
  }
  return set;
}

const noKeys: PersonKeyMap = new Map();

/**
 * Redacts, bounds and canonicalises one entry and commits to its private part.
 *
 * @param keys of the persons it is about (`personsOf`), under which their data is sealed
 */
export function sealEntry(
  actor: Actor,
  entry: AuditEntry,
  now: Date = new Date(),
  keys: PersonKeyMap = noKeys,
): SealedEntry {
  const id = randomUUID();
  const hidden = privatePart(actor, entry, id, keys);
  const record: AuditRecord = {
    v: hidden.version,
    id,
    tenant_id: tenantOfChain(actor.tenant_id),
    occurred_at: now.toISOString(),
    actor: {
      kind: actor.kind,
      user_id: actor.user_id,
      roles: actor.roles,
      permissions_digest: permissionSetOf(actor.permissions).digest,
    },
    area: auditAreaOf(entry.resource_type),
    event: entry.event,
    action: entry.action,
    resource_type: entry.resource_type,
    resource_id: bounded(entry.resource_id),
    outcome: entry.outcome ?? 'success',
    reason: entry.reason ?? null,
    session_id: actor.session_id,
    request_id: bounded(actor.request_id),
    trace_id: bounded(actor.trace_id ?? activeTraceId()),
    workflow_id: bounded(actor.workflow_id),
    private_digest: hash('sha256', hidden.text),
  };
  return { entry: canonicalJson(record), private: hidden.text };
}

/**
 * The statement that appends the entries to the chain of the actor's tenant. This is the one place where audit rows
 * come from; it belongs at the end of a transaction, because the head of the chain stays locked until commit
 * (`unitOfWork` does that). It fails when the session is not the actor's tenant; the change then fails with it.
 */
export function auditStatement(
  actor: Actor,
  entries: readonly AuditEntry[],
  keys: PersonKeyMap,
): RawBuilder<unknown> {
  const now = new Date();
  const sealed = entries.map((entry) => sealEntry(actor, entry, now, keys));
  return sql`select audit_append(
    ${actor.tenant_id}::uuid,
    ${jsonLines(sealed.map((one) => one.entry))},
    ${jsonLines(sealed.map((one) => one.private))},
    ${permissionSetOf(actor.permissions).text}
  )`;
}
