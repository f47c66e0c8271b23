import { sql } from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/postgres';
import { z } from 'zod';
import { highestCoarseRole } from '../../services/identity/effective-rights.service.ts';
import { assignmentEnd, notLapsed } from '../../services/identity/active-role.queries.ts';
import { prepared } from '../../entities/prepared-query.ts';
import { query } from '../../entities/kysely-schema.ts';
import type { UserStatus } from '../../entities/identity/user.entity.ts';
import { timestamp } from '../../platform/value-schemas.ts';
import { workCounts } from '../../services/identity/user-work-counts.queries.ts';

/** A role that a person holds at this moment, as part of the person. */
const heldRole = z
  .object({
    assignment_id: z.uuid(),
    role_id: z.uuid(),
    code: z.string(),
    name: z.string(),
    valid_until: timestamp.nullable().describe('When it ends by itself, at its end or at its review'),
  })
  .meta({ id: 'HeldRole' });

/** An account with its portal profile and roles: the superset that X-4 asks for. */
export const userView = z
  .object({
    id: z.uuid(),
    tenant_id: z.uuid(),
    email: z.string().nullable(),
    phone_number: z.string().nullable(),
    full_name: z.string(),
    role: z.enum(['sysadmin', 'admin', 'user']).describe('Coarse role, derived from the roles held'),
    roles: z.array(heldRole),
    status: z.enum(['active', 'inactive', 'deleted']),
    is_active: z.boolean(),
    time_zone: z.string().nullable(),
    sign_in_requires_totp: z.boolean(),
    job_title: z.string().nullable(),
    department: z.string().nullable(),
    notes: z.string().nullable(),
    campaign_count: z.number().int(),
    contact_count: z.number().int(),
    last_sign_in_at: timestamp.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    deleted_at: timestamp.nullable(),
    version: z.number().int(),
  })
  .meta({ id: 'User' });

/** The rows of `users` that a view shows: conditions, order and limit go here, before anything is joined to them. */
export function userPage() {
  return query.selectFrom('users as u').selectAll('u');
}

/**
 * Accounts with their profile, living roles and counts, newest first; `u` is the page. Only its rows are joined, so the
 * cost is that of the page whatever plan PostgreSQL keeps for it.
 */
export function usersQuery(page: ReturnType<typeof userPage>) {
  return query
    .with('u', () => page)
    .selectFrom('u')
    .leftJoin('admin_users as p', 'p.user_id', 'u.id')
    .leftJoin(workCounts, 'w.user_id', 'u.id')
    .select(['u.id', 'u.tenant_id', 'u.email', 'u.phone_number', 'u.full_name', 'u.status', 'u.is_active'])
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

/** A row of {@link usersQuery} as it is shown. The coarse role follows the roles that live now, not the stored one. */
export function presentUser(row: UserRow) {
  return { ...row, role: highestCoarseRole(row.roles.map(({ coarse_role }) => coarse_role)) };
}

/** What a list of accounts may be narrowed to, and where its page begins. */
interface UserListing {
  readonly status?: UserStatus | undefined;
  /** Part of name, e-mail address or phone number. */
  readonly q?: string | undefined;
  /** Code of a role that is held now. */
  readonly role?: string | undefined;
  readonly after: readonly [created_at: string, id: string] | null;
  readonly limit: number;
}

const listStatements = new Map<string, ReturnType<typeof listStatement>>();

/** A page of accounts, newest first, and one more to tell whether another follows. */
export function userList(listing: UserListing) {
  const { status, q, role, after, limit } = listing;
  const shape = [status, q !== undefined, role !== undefined, after !== null].join();
  const statement = listStatements.get(shape) ?? listStatement(listing);
  listStatements.set(shape, statement);
  return statement({
    // Wildcards in the text mean themselves.
    pattern: `%${(q ?? '').replaceAll(/[\\%_]/g, '\\$&')}%`,
    role: role ?? '',
    after_at: after?.[0] ?? '',
    after_id: after?.[1] ?? '',
    limit: limit + 1,
  });
}

interface ListValues {
  readonly pattern: string;
  readonly role: string;
  readonly after_at: string;
  readonly after_id: string;
  readonly limit: number;
}

/** The statement of one shape of listing: which filters there are, whatever their values. */
function listStatement({ status, q, role, after }: UserListing) {
  return prepared<ListValues>()((param) =>
    usersQuery(
      userPage()
        // A literal: a plan kept for any status takes "all but deleted" for a rare one and sorts the whole tenant.
        .$if(status === undefined, (page) => page.where('u.status', '<>', sql.lit('deleted')))
        .$if(status !== undefined, (page) => page.where('u.status', '=', sql.lit(status ?? 'active')))
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
        .$if(after !== null, (page) =>
          page.where(sql<boolean>`(u.created_at, u.id) < (${param('after_at')}::timestamptz, ${param('after_id')}::uuid)`),
        )
        .orderBy('u.created_at', 'desc')
        .orderBy('u.id', 'desc')
        .limit(param('limit')),
    ),
  );
}
