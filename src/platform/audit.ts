import { hash, randomBytes, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { Actor } from '../domain/actor.ts';
import { auditAreaOf, tenantOfChain } from '../domain/audit-entry.ts';
import type { AuditEntry, AuditPrivate, AuditRecord } from '../domain/audit-entry.ts';
import { redactChange, redactionRules, wellFormed } from '../domain/audit-redaction.ts';
import { canonicalJson } from '../domain/canonical.ts';
import { payloadDigest } from './digest.ts';
import { activeTraceId } from './tracing.ts';

export type { AuditEntry } from '../domain/audit-entry.ts';

const saltBytes = 16;
/** Of a person's name for a browser, a request path and the like; longer ones are cut. */
const maxFieldLength = 512;
/** Old and new values together; beyond it only their sizes are kept, so that no request can swell the log. */
const maxPrivateBytes = 64 * 1024;

/** An entry in the form that is hashed and stored. */
export interface SealedEntry {
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

/** Redacts, bounds and canonicalises one entry and commits to its private part. */
export function sealEntry(actor: Actor, entry: AuditEntry, now: Date = new Date()): SealedEntry {
  const privateText = privatePart(actor, entry);
  const record: AuditRecord = {
    v: 1,
    id: randomUUID(),
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
    private_digest: hash('sha256', privateText),
  };
  return { entry: canonicalJson(record), private: privateText };
}

/**
 * The statement that appends the entries to the chain of the actor's tenant. This is the one place where audit rows come
 * from; it belongs at the end of a transaction, because the head of the chain stays locked until commit (`unitOfWork`
 * does that). It fails when the session is not the actor's tenant; the change then fails with it.
 */
export function auditStatement(actor: Actor, entries: readonly AuditEntry[]): RawBuilder<unknown> {
  const now = new Date();
  const sealed = entries.map((entry) => sealEntry(actor, entry, now));
  return sql`select audit_append(
    ${actor.tenant_id}::uuid,
    ${sealed.map((one) => one.entry)}::text[],
    ${sealed.map((one) => one.private)}::text[],
    ${permissionSetOf(actor.permissions).text}
  )`;
}

function privatePart(actor: Actor, entry: AuditEntry): string {
  const values = redactChange(entry, redactionRules[entry.resource_type]);
  const about = { salt: randomBytes(saltBytes).toString('base64url'), ip: bounded(actor.ip), user_agent: bounded(actor.user_agent) };
  const text = canonicalJson({ ...about, ...values } satisfies AuditPrivate);
  if (Buffer.byteLength(text) <= maxPrivateBytes) return text;
  return canonicalJson({
    ...about,
    old_values: { omitted_bytes: sizeOf(values.old_values) },
    new_values: { omitted_bytes: sizeOf(values.new_values) },
  } satisfies AuditPrivate);
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(canonicalJson(value));
}

/** Text that came from outside: cut to a sane length and made storable. */
function bounded(text: string | null): string | null {
  return text === null ? null : wellFormed(text.slice(0, maxFieldLength));
}
