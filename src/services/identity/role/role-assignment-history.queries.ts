import { sql } from 'kysely';
import { rightsOfRoles, roleMap } from '../../../domain/identity/role-hierarchy.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { newestFirst } from '../../../platform/database/keyset-page.ts';
import type { Page } from '../../../platform/database/keyset-page.ts';
import { notFound } from '../../../platform/problem.ts';
import { read, readAll } from '../../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../../platform/database/read.ts';

/** True for an assignment `a` that was in force at a time (RFC 3339): assigned, not revoked, not lapsed. */
function inForceAt(at: string) {
  return sql<boolean>`(a.assigned_at <= ${at}::timestamptz
    and (a.revoked_at is null or a.revoked_at > ${at}::timestamptz)
    and (a.valid_until is null or a.valid_until > ${at}::timestamptz)
    and (a.review_due_at is null or a.review_due_at > ${at}::timestamptz))`;
}

/** The ledger with the names of people and roles; `a` is the assignment. */
function ledgerQuery() {
  return kysely
    .selectFrom('admin_role_assignments as a')
    .innerJoin('admin_roles as r', 'r.id', 'a.role_id')
    .innerJoin('users as u', 'u.id', 'a.user_id')
    .leftJoin('users as g', 'g.id', 'a.assigned_by')
    .select(['a.id', 'a.user_id', 'u.full_name as user_name'])
    .select(['a.role_id', 'r.code as role_code', 'r.name as role_name'])
    .select(['a.assigned_by', 'g.full_name as assigned_by_name', 'a.approval_id', 'a.reason', 'a.assigned_at'])
    .select(['a.valid_until', 'a.review_due_at', 'a.revoked_at', 'a.revoked_by']);
}

/** Which rows of the ledger are asked for; times are RFC 3339. */
interface LedgerFilter {
  readonly role_id?: string | undefined;
  readonly user_id?: string | undefined;
  /** Assigned then or later. */
  readonly from?: string | undefined;
  /** Assigned before. */
  readonly to?: string | undefined;
  /** In force then. */
  readonly at?: string | undefined;
}

/** A page of the ledger, newest first, and one more to tell whether another follows. */
export function roleAssignments(db: ReadSource, scope: ReadScope, { limit, cursor, ...filter }: LedgerFilter & Page) {
  const { role_id, user_id, from, to, at } = filter;
  return read(
    db,
    scope,
    ledgerQuery()
      .where((eb) => eb.and({ 'a.role_id': role_id, 'a.user_id': user_id }))
      .$call((q) => (from === undefined ? q : q.where('a.assigned_at', '>=', from)))
      .$call((q) => (to === undefined ? q : q.where('a.assigned_at', '<', to)))
      .$call((q) => (at === undefined ? q : q.where(inForceAt(at))))
      .$call(newestFirst({ limit, cursor }, { time: 'a.assigned_at', id: 'a.id' })),
  );
}

/**
 * What a person could do at a time, and by which rows of the ledger (S2-13). Roles count with the permissions they had
 * then, by their history; somebody who was not active then could do nothing.
 *
 * @param at RFC 3339.
 * @throws Problem `resource.not-found` for a person the tenant does not have.
 */
export async function rightsAt(db: ReadSource, scope: ReadScope, userId: string, at: string) {
  const then = sql<boolean>`created_at <= ${at}::timestamptz`;
  const [users, statuses, assignments, history] = await readAll(db, scope, [
    kysely.selectFrom('users').where('id', '=', userId).select('id'),
    kysely
      .selectFrom('user_status_history')
      .where('user_id', '=', userId)
      .where(then)
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(1)
      .select('status'),
    ledgerQuery().where('a.user_id', '=', userId).where(inForceAt(at)).orderBy('a.assigned_at').orderBy('a.id'),
    // One row per role: the tenant's own latest one before the default of a system role.
    kysely
      .selectFrom('admin_role_history as h')
      .innerJoin('admin_roles as r', 'r.id', 'h.role_id')
      .where(sql<boolean>`h.created_at <= ${at}::timestamptz`)
      .distinctOn('h.role_id')
      .orderBy('h.role_id')
      .orderBy(sql`h.tenant_id is null`)
      .orderBy('h.created_at', 'desc')
      .orderBy('h.id', 'desc')
      .select(['h.role_id as id', 'r.code', 'h.permissions', 'h.parent_role_id', 'h.changed_by', 'h.approval_id'])
      .select('h.created_at as changed_at'),
  ] as const);
  if (users.length === 0) throw notFound('user');
  const status = statuses[0]?.status ?? null;
  const held = status === 'active' ? assignments : [];
  const roles = roleMap(history);
  const rights = rightsOfRoles(roles, held.map(({ role_id }) => role_id));
  const given = new Set(rights.roles);
  return {
    user_id: userId,
    at,
    status,
    ...rights,
    assignments: held,
    role_definitions: history
      .filter(({ code }) => given.has(code))
      .map(({ id, code, permissions, changed_by, approval_id, changed_at }) => ({
        role_id: id,
        code,
        permissions,
        changed_by,
        approval_id,
        changed_at,
      })),
  };
}
