import { sql } from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/postgres';
import { toTimestampText } from '../../domain/shared/timestamp-text.ts';
import { prepared } from '../../entities/prepared-statement.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { UserStatus } from '../../entities/identity/user.entity.ts';
import { parseCursor, timePosition } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { containsPattern } from '../../platform/database/like-pattern.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';
import { assignmentEnd, notLapsed } from './role/active-role.queries.ts';
import { highestCoarseRole } from './role/effective-rights.service.ts';
import { workCounts } from './user-work-counts.queries.ts';

/** The rows of `users` on a page: conditions, order and limit go here, before anything is joined to them. */
function userPage() {
  return kysely.selectFrom('users as u').selectAll('u');
}

/**
 * Accounts with their profile, current roles and counts of work, newest first; `u` is the page. Only its rows are joined,
 * so the cost is that of the page, whatever plan PostgreSQL keeps for the statement.
 */
function usersQuery(page: ReturnType<typeof userPage>) {
  return kysely
    .with('u', () => page)
    .selectFrom('u')
    .leftJoin('admin_users as p', 'p.user_id', 'u.id')
    .leftJoin(workCounts, 'w.user_id', 'u.id')
    .select(['u.id', 'u.tenant_id', 'u.email', 'u.phone_number', 'u.full_name', 'u.status', 'u.is_active'])
    .select(['u.pending_email', 'u.decisions_count_from'])
    .select(['u.time_zone', 'u.sign_in_requires_totp', 'u.last_sign_in_at'])
    .select(['u.created_at', 'u.updated_at', 'u.deleted_at', 'u.version'])
    .select(['p.job_title', 'p.department', 'p.notes'])
    .select((eb) => [
      eb.fn.coalesce('w.campaign_count', sql.lit(0)).as('campaign_count'),
      eb.fn.coalesce('w.contact_count', sql.lit(0)).as('contact_count'),
    ])
    .select((eb) =>
      jsonArrayFrom(
        eb
          .selectFrom('admin_role_assignments as a')
          .innerJoin('admin_roles as r', 'r.id', 'a.role_id')
          .whereRef('a.user_id', '=', 'u.id')
          .where('a.revoked_at', 'is', null)
          .where(notLapsed)
          .orderBy('r.code')
          .select(['a.id as assignment_id', 'a.role_id', 'r.code', 'r.name', 'r.coarse_role'])
          .select(assignmentEnd.as('valid_until')),
      ).as('roles'),
    )
    .orderBy('u.created_at', 'desc')
    .orderBy('u.id', 'desc');
}

type UserRow = Awaited<ReturnType<ReturnType<typeof usersQuery>['executeTakeFirstOrThrow']>>;

/**
 * An account as it is displayed. The coarse role follows the roles that are held now, not the stored one. Times inside of
 * JSON come with the offset of PostgreSQL's text.
 */
function presentUser(row: UserRow) {
  const roles = row.roles.map((held) => ({ ...held, valid_until: held.valid_until && toTimestampText(held.valid_until) }));
  return { ...row, roles, role: highestCoarseRole(roles.map(({ coarse_role }) => coarse_role)) };
}

/**
 * One account as it stands.
 *
 * @throws Problem `resource.not-found`.
 */
export async function userById(db: ReadSource, scope: ReadScope, id: string) {
  const [row] = await read(db, scope, usersQuery(userPage().where('u.id', '=', id)));
  if (row === undefined) throw notFound('user');
  return presentUser(row);
}

/** What a list of accounts is narrowed to. */
interface UserFilter {
  /** Without it all but deleted ones. */
  readonly status?: UserStatus | undefined;
  /** Part of name, e-mail address or phone number. */
  readonly q?: string | undefined;
  /** Code of a role that is held now. */
  readonly role?: string | undefined;
}

const listStatements = new Map<string, ReturnType<typeof listStatement>>();

/**
 * The query of {@link listUsers}.
 *
 * @throws Problem `request.cursor-invalid`.
 */
export function usersPage({ limit, cursor, ...filter }: UserFilter & Page) {
  const after = parseCursor(cursor, timePosition);
  const shape = [filter.status, filter.q !== undefined, filter.role !== undefined, after !== null].join();
  const statement = listStatements.get(shape) ?? listStatement(filter, after !== null);
  listStatements.set(shape, statement);
  return statement({
    pattern: containsPattern(filter.q ?? ''),
    role: filter.role ?? '',
    after_at: after?.[0] ?? '',
    after_id: after?.[1] ?? '',
    limit: limit + 1,
  });
}

/**
 * A page of accounts, newest first, and one more to tell whether another follows.
 *
 * @throws Problem `request.cursor-invalid`.
 */
export async function listUsers(db: ReadSource, scope: ReadScope, listing: UserFilter & Page) {
  return (await read(db, scope, usersPage(listing))).map(presentUser);
}

interface ListValues {
  readonly pattern: string;
  readonly role: string;
  readonly after_at: string;
  readonly after_id: string;
  readonly limit: number;
}

/** The statement of one shape of listing: which filters there are, whatever their values. */
function listStatement({ status, q, role }: UserFilter, isContinued: boolean) {
  return prepared<ListValues>()((param) =>
    usersQuery(
      userPage()
        // A literal: a generic plan takes "all but deleted" for a rare status and sorts the whole tenant.
        .where('u.status', status === undefined ? '<>' : '=', sql.lit(status ?? 'deleted'))
        .$if(q !== undefined, (page) => {
          const pattern = param('pattern');
          return page.where(
            sql<boolean>`(u.full_name ilike ${pattern} or u.email ilike ${pattern} or u.phone_number ilike ${pattern})`,
          );
        })
        .$if(role !== undefined, (page) =>
          page.where('u.id', 'in', (eb) =>
            eb
              .selectFrom('admin_role_assignments as a')
              .innerJoin('admin_roles as r', 'r.id', 'a.role_id')
              .where('r.code', '=', param('role'))
              .where('a.revoked_at', 'is', null)
              .where(notLapsed)
              .select('a.user_id'),
          ),
        )
        .$if(isContinued, (page) =>
          page.where(sql<boolean>`(u.created_at, u.id) < (${param('after_at')}::timestamptz, ${param('after_id')}::uuid)`),
        )
        .orderBy('u.created_at', 'desc')
        .orderBy('u.id', 'desc')
        .limit(param('limit')),
    ),
  );
}
