import { sql } from 'kysely';
import { countingAdministrators, countsBy, fourEyesState } from '../../../domain/approval/four-eyes-state.ts';
import type { Decider, FourEyesState } from '../../../domain/approval/four-eyes-state.ts';
import { Independence } from '../../../domain/approval/independence.ts';
import type { OpenAct } from '../../../domain/approval/independence.ts';
import { rightsOfRoles, roleMap } from '../../../domain/identity/role-hierarchy.ts';
import type { RoleMap } from '../../../domain/identity/role-hierarchy.ts';
import type { Permission } from '../../../domain/identity/permissions.ts';
import { administratorCodes, superAdminCode } from '../../../domain/identity/system-roles.ts';
import type { SystemRoleCode } from '../../../domain/identity/system-roles.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { read, readAll } from '../../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem } from '../../../platform/problem.ts';
import { eligibleRolesQuery } from '../../approval/gate-policy.queries.ts';
import { actsBehind, idsBehindQuery, independenceOf } from '../account-act/account-act.queries.ts';
import { activeRoles, effectiveRights } from './active-role.queries.ts';
import { rolesQuery } from './role.queries.ts';

/** The permission that makes an account a decider: its holder's vote can count. */
const decides: Permission = 'approval:decide';

/** The roles held now that give the right to decide, one row for each role or ancestor that does. */
export function givingRightToDecide() {
  return givingPermission(decides);
}

/** The roles held now that give a permission. */
export function givingPermission(permission: Permission) {
  return activeRoles().where(gives(permission));
}

/** True for a role `r`, with the matrix `o` that the tenant may have given it, that gives a permission. */
function gives(permission: Permission) {
  return sql<boolean>`(r.code = ${superAdminCode} or ${permission} = any(coalesce(o.permissions, r.permissions)))`;
}

/** True when some roles, their ancestors included, give the right to decide. */
export function rolesDecide(roles: RoleMap, roleIds: Iterable<string>): boolean {
  return rightsOfRoles(roles, roleIds).permissions.includes(decides);
}

/**
 * True when some roles, their ancestors included, give a say in approvals: the right to decide, or a role that a policy names.
 * Whoever decides already would be made eligible for a request by it, and so could be chosen by its author.
 */
export function rolesGiveSay(roles: RoleMap, roleIds: readonly string[], eligible: ReadonlySet<string>): boolean {
  return rolesDecide(roles, roleIds) || rightsOfRoles(roles, roleIds).roles.some((code) => eligible.has(code));
}

/** {@link rolesGiveSay} of the roles and policies as they are now. */
export async function giveSay(db: ReadSource, scope: ReadScope, roleIds: readonly string[]): Promise<boolean> {
  if (roleIds.length === 0) return false;
  const [roles, eligible] = await readAll(db, scope, [rolesQuery(), eligibleRolesQuery()] as const);
  return rolesGiveSay(roleMap(roles), roleIds, codesOf(eligible));
}

/** The codes of the roles that policies name. */
export async function eligibleRoles(db: ReadSource, scope: ReadScope): Promise<ReadonlySet<string>> {
  return codesOf(await read(db, scope, eligibleRolesQuery()));
}

function codesOf(rows: readonly { readonly code: string }[]): ReadonlySet<string> {
  return new Set(rows.map(({ code }) => code));
}

/** True for an account that holds the right to decide by any role, whatever its status. */
export async function isDecider(db: ReadSource, scope: ReadScope, userId: string): Promise<boolean> {
  const held = await read(db, scope, activeRoles().where('a.user_id', '=', userId));
  return effectiveRights(held).permissions.includes(decides);
}

/** The ids of all accounts that hold the right to decide, whatever their status. */
export async function allDeciders(db: ReadSource, scope: ReadScope): Promise<string[]> {
  const held = await read(db, scope, givingRightToDecide());
  return [...new Set(held.map(({ user_id }) => user_id))];
}

/**
 * The ids of all deciders but the owner of an account, whoever has made that account, and who is not apart from its maker. The
 * maker may have chosen its first password, and so may be the one who asks with it, also after the account was confirmed;
 * unless the operator has named its person since, who has then chosen a new one.
 */
export async function decidersBesideMakers(db: ReadSource, scope: ReadScope, userId: string): Promise<string[]> {
  const makers = await read(
    db,
    scope,
    kysely
      .selectFrom('account_acts')
      .where('target_id', '=', userId)
      .where('kind', '=', 'create')
      .where((eb) => eb.or([eb('close_reason', 'is', null), eb('close_reason', '<>', 'named')]))
      .select('actor_id'),
  );
  const makerIds = makers.map(({ actor_id }) => actor_id);
  const others = (await allDeciders(db, scope)).filter((id) => id !== userId).sort();
  if (makerIds.length === 0) return others;
  const independence = await independenceOf(db, scope, [...others, ...makerIds]);
  return others.filter((id) => independence.isApartFromAll(id, makerIds));
}

/** The ids of all active people whose vote can count. */
export async function activeDeciders(db: ReadSource, scope: ReadScope): Promise<string[]> {
  return (await read(db, scope, activeDecidersQuery())).map(({ user_id }) => user_id);
}

/** The active people whose vote can count, by any role. */
function activeDecidersQuery() {
  const holds = (codes: readonly SystemRoleCode[]) => sql<boolean>`bool_or(r.code = any(${[...codes]}::text[]))`;
  return activeRoles()
    .innerJoin('users as u', 'u.id', 'a.user_id')
    .where('u.status', '=', 'active')
    // Other roles say nothing about a decider; leaving them out spares the roles of everybody else.
    .where((eb) => eb.or([gives(decides), eb('r.code', 'in', administratorCodes)]))
    .groupBy(['a.user_id', 'u.decisions_count_from'])
    .having(sql<boolean>`bool_or(${gives(decides)})`)
    .clearSelect()
    .select(['a.user_id', holds(administratorCodes).as('is_administrator'), holds([superAdminCode]).as('is_super_admin')])
    .select(sql<boolean>`coalesce(u.decisions_count_from <= clock_timestamp(), true)`.as('counts'));
}

/** The deciders of a tenant, and the open acts on the administrators among them and on who stands behind those: one row. */
export function fourEyesQuery() {
  // Of an array the planner assumes that it is short, as administrators are few, and so finds their acts by the index.
  const administrators = sql<{ user_id: string }>`
    select unnest((select array_agg(user_id) from deciders where is_administrator)) as user_id`;
  const statement = sql<FourEyesRow>`
    with deciders as materialized ${activeDecidersQuery()}
    select
      (select coalesce(json_agg(d), '[]') from deciders d) as deciders,
      (select coalesce(json_agg(a), '[]') from (${actsBehind([], administrators)}) a) as acts`;
  return { compile: () => statement.compile(kysely) };
}

/** A row of {@link fourEyesQuery}. */
export interface FourEyesRow {
  readonly deciders: readonly Decider[];
  readonly acts: readonly OpenAct[];
}

/** Whether the tenant has a pair, and what endangers it, of the row of {@link fourEyesQuery}. */
export function fourEyesOfRow(row: FourEyesRow | undefined): FourEyesState {
  return fourEyesState(row?.deciders ?? [], new Independence(row?.acts ?? []));
}

/**
 * True when what touches the right to decide takes two: the tenant has a pair, or the actor's own decisions do not count yet
 * while those of another administrator do (R12), who could then be put out of action by whoever was named wrongly. Otherwise
 * one person rules alone, and it takes a second factor only.
 */
export async function takesTwo(db: ReadSource, scope: ReadScope): Promise<boolean> {
  const [[row], [self]] = await readAll(db, scope, [fourEyesQuery(), countsFromQuery(scope.user_id)] as const);
  if (fourEyesOfRow(row).has_pair) return true;
  return self !== undefined && !countsBy(self.decisions_count_from, Date.now()) && countingAdministrators(row?.deciders ?? []).length > 0;
}

/** From when the decisions of a person count; nothing for the actor of a job. */
export function countsFromQuery(userId: string | null) {
  return kysely.selectFrom('users').where('id', '=', userId).select('decisions_count_from');
}

/** @throws Problem `tenant.naming-waits` while the actor's decisions do not count yet, as somebody who was named from outside (R12). */
export async function assertDecisionsCount(tx: Tx): Promise<void> {
  const [self] = await read(tx, tx.actor, countsFromQuery(tx.actor.user_id));
  const from = self?.decisions_count_from ?? null;
  if (countsBy(from, Date.now())) return;
  throw new Problem({ code: 'tenant.naming-waits', detail: `Your decisions count from ${from}.`, members: { counts_from: from } });
}

/** True for an account that decides, or that stands behind one that does: whoever gets hold of it ties that one to themselves. */
export async function touchesDecider(db: ReadSource, scope: ReadScope, userId: string): Promise<boolean> {
  const deciders = givingRightToDecide().clearSelect().select('a.user_id');
  const behind = await read(db, scope, idsBehindQuery([], deciders));
  return behind.some(({ id }) => id === userId);
}
