import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { endNoticeMs } from '../../../domain/identity/module-permission.ts';
import type { ModuleGrantState, SoftwareModule } from '../../../domain/identity/module-permission.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { newestFirst, toPage } from '../../../platform/database/keyset-page.ts';
import type { Page } from '../../../platform/database/keyset-page.ts';
import { read, readAll } from '../../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../../platform/database/read.ts';
import { notFound } from '../../../platform/problem.ts';

/** What is shown of a module permission, besides whether it has expired. */
export const modulePermissionColumns = [
  'id',
  'user_id',
  'agent_name',
  'can_create',
  'can_read',
  'can_update',
  'can_delete',
  'granted_by',
  'expires_at',
  'created_at',
  'updated_at',
  'version',
] as const;

/** Whether a permission has expired at the time of the statement. */
const isExpired = sql<boolean>`coalesce(expires_at <= now(), false)`.as('is_expired');

/** A module permission as it is shown. */
export type ModulePermissionRow = Awaited<ReturnType<ReturnType<typeof modulePermissionsOf>['executeTakeFirstOrThrow']>>;

function modulePermissionsOf(userId: string) {
  return kysely
    .selectFrom('user_agent_permissions')
    .where('user_id', '=', userId)
    .select(modulePermissionColumns)
    .select(isExpired);
}

/**
 * A person's permissions in all modules, by module.
 *
 * @throws Problem `resource.not-found` for a person the tenant does not have.
 */
export async function modulePermissions(db: ReadSource, scope: ReadScope, userId: string) {
  const [known, permissions] = await readAll(db, scope, [
    kysely.selectFrom('users').where('id', '=', userId).select('id'),
    modulePermissionsOf(userId).orderBy('agent_name'),
  ] as const);
  if (known.length === 0) throw notFound('user');
  return permissions;
}

/**
 * A person's permission in one module.
 *
 * @throws Problem `resource.not-found`.
 */
export async function modulePermission(db: ReadSource, scope: ReadScope, userId: string, module: SoftwareModule) {
  const [permission] = await read(db, scope, modulePermissionsOf(userId).where('agent_name', '=', module));
  if (permission === undefined) throw notFound('module permission');
  return permission;
}

/** What a list of module permissions is narrowed to. */
interface ModulePermissionFilter {
  readonly agent_name?: SoftwareModule | undefined;
  readonly user_id?: string | undefined;
  readonly state?: ModuleGrantState | undefined;
}

/**
 * A page of the tenant's module permissions, with the names of their people and of who has granted them. The newest come first;
 * among those that end soon or have ended, those that end last: each order has an index in which the rows of its state lie
 * together, so that a page costs a page however few they are.
 *
 * @throws Problem `request.cursor-invalid`, also for a cursor of the other order.
 */
export async function listModulePermissions(
  db: ReadSource,
  scope: ReadScope,
  { limit, cursor, ...filter }: ModulePermissionFilter & Page,
) {
  const isByEnd = filter.state === 'expiring' || filter.state === 'expired';
  const order = { time: isByEnd ? 'expires_at' : 'created_at', id: 'id' };
  const [time, id] = [sql.ref(`p.${order.time}`), sql.ref('p.id')];
  const rows = await read(
    db,
    scope,
    kysely
      // Only the rows of the page are joined.
      .with('p', () => filteredPermissions(filter).$call(newestFirst({ limit, cursor }, order)))
      .selectFrom('p')
      .innerJoin('users as person', 'person.id', 'p.user_id')
      .leftJoin('users as granter', 'granter.id', 'p.granted_by')
      .selectAll('p')
      .select(['person.full_name as user_name', 'granter.full_name as granted_by_name'])
      .orderBy(time, 'desc')
      .orderBy(id, 'desc'),
  );
  return toPage(rows, limit, (row) => [(isByEnd ? row.expires_at : null) ?? row.created_at, row.id], (row) => row);
}

function filteredPermissions({ agent_name, user_id, state }: ModulePermissionFilter) {
  const list = kysely
    .selectFrom('user_agent_permissions')
    .where((eb) => eb.and({ agent_name, user_id }))
    .select(modulePermissionColumns)
    .select(isExpired);
  return state === undefined ? list : list.where(isInState[state]);
}

const isInState: Readonly<Record<ModuleGrantState, RawBuilder<boolean>>> = {
  // What is in force is not recorded as expired: the second part takes nothing away, and names the index that is without the others.
  active: sql`(expires_at is null or expires_at > now()) and (expires_at is null or recorded_end is distinct from expires_at)`,
  expiring: sql`expires_at > now() and expires_at <= now() + make_interval(secs => ${sql.lit(endNoticeMs / 1000)})`,
  expired: sql`expires_at <= now()`,
};

/** What the access rule needs to know of a person's module permissions; nothing for a caller who is no person. */
export function moduleGrants(db: ReadSource, scope: ReadScope, userId: string | null) {
  return read(
    db,
    scope,
    kysely
      .selectFrom('user_agent_permissions')
      .where('user_id', '=', userId)
      .select(['agent_name', 'can_create', 'can_read', 'can_update', 'can_delete', 'expires_at']),
  );
}

/**
 * Whom the end of a permission concerns, for as long as that is still its end and not settled; undefined otherwise.
 *
 * @param end RFC 3339
 */
export async function unsettledEnd(db: ReadSource, scope: ReadScope, id: string, end: string, has_expired: boolean) {
  const settled = sql.ref(has_expired ? 'p.recorded_end' : 'p.noticed_end');
  const [permission] = await read(
    db,
    scope,
    kysely
      .selectFrom('user_agent_permissions as p')
      .innerJoin('tenants as t', 't.id', 'p.tenant_id')
      .where('p.id', '=', id)
      .where('p.expires_at', '=', end)
      .where(sql<boolean>`${settled} is distinct from p.expires_at`)
      .select(['p.id', 'p.user_id', 'p.granted_by', 'p.agent_name'])
      .select(sql<boolean>`t.status = 'suspended'`.as('is_silent')),
  );
  return permission;
}
