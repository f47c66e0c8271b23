import { randomUUID } from 'node:crypto';
import { LockMode } from '@mikro-orm/core';
import { sql } from 'kysely';
import { countsBy } from '../../../domain/approval/four-eyes-state.ts';
import { accountLinkUrl } from '../../../domain/identity/account-link-url.ts';
import { defaultTenantId, systemActor } from '../../../domain/shared/actor.ts';
import type { Actor } from '../../../domain/shared/actor.ts';
import { timestampText } from '../../../domain/shared/timestamp-text.ts';
import { AccountLinkEntity } from '../../../entities/identity/account-link.entity.ts';
import { AdministratorNamingEntity } from '../../../entities/identity/administrator-naming.entity.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import type { AccountLinkPurpose } from '../../../entities/identity/account-link.entity.ts';
import { read } from '../../../platform/database/read.ts';
import { unitOfWork } from '../../../platform/database/unit-of-work.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem, notFound } from '../../../platform/problem.ts';
import type { ProcessDeps } from '../../../platform/process-deps.ts';
import { nextVersion } from '../../../platform/row-version.ts';
import { putSafeguardNews } from '../../approval/safeguard-news.repository.ts';
import { putWorkflowStart } from '../../commands/workflow-start.repository.ts';
import { issueAccountLink, newAccountToken, renewAccountLink, revokeAccountLinks } from '../account-link/account-link.repository.ts';
import { findOrCreateNamed } from '../account-link/administrator-naming.service.ts';
import { notifyRecoveryIssued } from '../account-link/administrator-notification.service.ts';
import { isOpenAct } from '../account-act/account-act.queries.ts';
import { countsFromQuery } from '../role/decider.queries.ts';
import { lockRights } from '../role/effective-rights.service.ts';
import { revokeSessions } from '../sign-in/revoke-sessions.service.ts';
import { revokeServiceToken } from '../sign-in/service-token.service.ts';
import { namingQuery } from './administrator-naming.queries.ts';

/** A link that is mailed may wait for its person over a weekend. */
const linkHours = 72;

type Deps = Pick<ProcessDeps, 'db' | 'env' | 'mailer' | 'now' | 'temporal'>;

/** Whom the staff name, and why. */
interface NewNaming {
  readonly named_tenant_id: string;
  readonly email: string;
  readonly full_name: string;
  readonly purpose: AccountLinkPurpose;
  readonly reason: string;
  readonly approval_id: string | null;
}

/**
 * Names an administrator of another tenant, in a transaction of the staff; a worker then makes the account and mails the link.
 *
 * @returns the id of the naming.
 */
export async function putNaming(tx: Tx, naming: NewNaming): Promise<string> {
  const id = randomUUID();
  tx.em.create(AdministratorNamingEntity, { id, named_by: tx.actor.user_id, ...naming });
  await tx.flush();
  const { email, purpose, reason } = naming;
  tx.audit({
    event: 'tenant.name-administrator',
    action: 'create',
    resource_type: 'tenant',
    resource_id: naming.named_tenant_id,
    new_values: { naming_id: id, email, purpose, reason },
  });
  putWorkflowStart(tx, 'administrator-naming', { naming_id: id }, 0);
  return id;
}

/**
 * Makes the account of a naming, tells the administrators of its tenant, and mails the link, whose id is that of the naming. The
 * token is in the mail alone. When it is done again the token before is void, so of two mails the later one works.
 *
 * @throws Problem `service.unavailable` while mail server or Temporal cannot be reached; then there is no link.
 */
export async function sendNaming(deps: Deps, namingId: string): Promise<void> {
  const staff = systemActor(defaultTenantId);
  const naming = await findNaming(deps, staff, namingId);
  if (naming.sent_at !== null || naming.taken_back_at !== null) return;
  const { named_tenant_id, purpose, email, full_name } = naming;
  const actor = systemActor(named_tenant_id, { request_id: namingId });
  const user_id = await unitOfWork(deps.db, actor, (tx) => findOrCreateNamed(tx, { email, full_name }));
  const earlier = await findLink(deps, actor, namingId);
  if (earlier === undefined || (earlier.used_at === null && earlier.revoked_at === null)) {
    const expires_at = timestampText(deps.now() + linkHours * 3_600_000);
    if (purpose === 'administrator_recovery') {
      await notifyRecoveryIssued(deps, actor, { user_id, email, expires_at }, 'staff', namingId);
    }
    const token = newAccountToken();
    await deps.mailer.send(linkMail(deps, email, token, expires_at));
    const isIssued = await unitOfWork(deps.db, actor, async (tx) => {
      await lockRights(tx);
      if (!(await isOpen(tx, namingId))) return false;
      if (earlier === undefined) await issueAccountLink(tx, { id: namingId, user_id, purpose, expires_at }, token);
      else await renewAccountLink(tx, namingId, { expires_at }, token);
      return true;
    });
    // Taken back since it was read: the mail has a token that was never one.
    if (!isIssued) return;
  }
  await unitOfWork(deps.db, staff, async (tx) => {
    const row = await lockNaming(tx, namingId);
    tx.em.assign(row, { user_id, link_id: namingId, sent_at: timestampText(deps.now()) });
    await tx.flush();
  });
}

/** Whether a naming is not taken back, and is not before the transaction ends. */
async function isOpen(tx: Tx, namingId: string): Promise<boolean> {
  const { rows } = await sql<{ is_open: boolean }>`select naming_lock_open(${namingId}) as is_open`.execute(tx.sql);
  return rows[0]?.is_open ?? false;
}

async function findLink({ db }: Pick<Deps, 'db'>, actor: Actor, id: string) {
  const [link] = await read(db, actor, kysely.selectFrom('account_links').where('id', '=', id).select(['used_at', 'revoked_at']));
  return link;
}

function linkMail({ env }: Pick<Deps, 'env'>, to: string, token: string, expires_at: string) {
  return {
    to,
    subject: 'You are named as an administrator',
    text:
      `Whoever runs this installation of Castellan has named you as an administrator.\n\nOpen this link, choose a password and ` +
      `set up an authenticator app:\n\n${accountLinkUrl(env.PUBLIC_URL, token)}\n\nIt can be used once, until ${expires_at}. ` +
      'Give it to nobody: whoever has it gets the account. If you do not expect this, do not use it, and say so.\n',
  };
}

/**
 * Takes a naming back, in a transaction of the staff which voids its link, and where that was used already deactivates the
 * account and ends its sessions and service tokens. It is possible until the decisions of the person count.
 *
 * @throws Problem 404; `resource.conflict` when it was taken back before, its link has expired, or the person decides already.
 */
export async function takeBackNaming(tx: Tx, namedTenantId: string, id: string, reason: string): Promise<void> {
  await findState(tx, namedTenantId, id);
  const actor = systemActor(namedTenantId, { request_id: id });
  // Before the naming is locked, as by whoever issues its link. A link that is being used is waited for.
  await tx.inTenant(actor, lockRights);
  const row = await lockNaming(tx, id);
  const state = await findState(tx, namedTenantId, id);
  if (state !== 'waiting' && state !== 'sent' && state !== 'used') throw conflict(`The naming is ${state.replace('_', ' ')} already.`);
  const wasUsed = await tx.inTenant(actor, async (inside) => {
    const link = await findNamingLink(inside, row);
    if (typeof link?.used_at === 'string') await assertNotDecidingYet(inside, link.user_id);
    await endNaming(inside, link);
    return typeof link?.used_at === 'string';
  });
  tx.em.assign(row, { taken_back_at: timestampText(Date.now()), taken_back_by: tx.actor.user_id });
  await tx.flush();
  tx.audit({
    event: 'tenant.take-back-administrator',
    action: 'update',
    resource_type: 'tenant',
    resource_id: namedTenantId,
    old_values: { state: wasUsed ? 'used' : state },
    new_values: { naming_id: id, reason },
  });
}

async function findState(tx: Tx, namedTenantId: string, id: string) {
  const [naming] = await read(tx, tx.actor, namingQuery(namedTenantId, id));
  if (naming === undefined) throw notFound('naming');
  return naming.state;
}

/**
 * Finishes a take-back of the release before, which left to a worker what is done in its own transaction now. Repeated, it
 * changes nothing.
 */
export async function finishTakeBack({ db }: Pick<Deps, 'db'>, namingId: string): Promise<void> {
  const naming = await findNaming({ db }, systemActor(defaultTenantId), namingId);
  if (naming.taken_back_at === null) return;
  await unitOfWork(db, systemActor(naming.named_tenant_id, { request_id: namingId }), async (tx) => {
    await lockRights(tx);
    await endNaming(tx, await findNamingLink(tx, naming));
  });
}

function findNamingLink(tx: Tx, { id, link_id }: { readonly id: string; readonly link_id?: string | null }) {
  return tx.em.findOne(AccountLinkEntity, { id: link_id ?? id });
}

/** @throws Problem `resource.conflict`. */
async function assertNotDecidingYet(tx: Tx, userId: string): Promise<void> {
  const [user] = await read(tx, tx.actor, countsFromQuery(userId));
  if (countsBy(user?.decisions_count_from ?? null, Date.now())) {
    throw conflict('The person administers the tenant already: its own administrators decide about the account.');
  }
}

/**
 * Ends in its tenant what a naming has led to: its link, or where that was used the account and those that its person has let
 * in or got hold of alone, with sessions and service tokens, unless the person was named again meanwhile. Call it under
 * {@link lockRights}.
 */
async function endNaming(tx: Tx, link: Awaited<ReturnType<typeof findNamingLink>>): Promise<void> {
  if (link === null) return;
  const { id: link_id, user_id, used_at } = link;
  if (typeof used_at !== 'string') {
    await revokeAccountLinks(tx, { id: link_id });
    return;
  }
  const later = tx.sql.selectFrom('account_links').where('user_id', '=', user_id).where('used_at', '>', used_at).select('id').limit(1);
  if ((await later.executeTakeFirst()) !== undefined) return;
  for (const { id } of await read(tx, tx.actor, doneAloneQuery(user_id, used_at))) await deactivateNamed(tx, id, id === user_id);
}

/**
 * A person, and the accounts that they have made or got hold of alone since a time, and those have since then in turn, as far as
 * nobody has confirmed them: by each of them the person would still be in.
 */
function doneAloneQuery(userId: string, since: string) {
  const statement = sql<{ id: string }>`
    with recursive reached (id) as (
      select ${userId}::uuid
      union
      select a.target_id from reached r join account_acts a on a.actor_id = r.id
      where a.created_at >= ${since} and a.approval_id is null and ${isOpenAct}
    )
    select id from reached`;
  return { compile: () => statement.compile(kysely) };
}

async function deactivateNamed(tx: Tx, user_id: string, isNamed: boolean): Promise<void> {
  const deactivated = await tx.sql
    .updateTable('users')
    .set({ status: 'inactive', version: nextVersion(), updated_at: sql<string>`clock_timestamp()` })
    .where('id', '=', user_id)
    .where('status', '=', 'active')
    .returning('id')
    .executeTakeFirst();
  if (deactivated === undefined) return;
  await revokeSessions(tx, { user_id }, 'deactivated');
  await revokeAccountLinks(tx, { user_id });
  const tokens = tx.sql.selectFrom('service_tokens').where('created_by', '=', user_id).where('revoked_at', 'is', null).select('id');
  for (const { id } of await tokens.execute()) await revokeServiceToken(tx, id);
  putWorkflowStart(tx, 'user-deactivated', { user_id }, 0);
  putSafeguardNews(tx, isNamed ? 'administrator-taken-back' : 'account-taken-back', { user_id });
  tx.audit({
    event: 'user.update',
    action: 'update',
    resource_type: 'user',
    resource_id: user_id,
    old_values: { status: 'active' },
    new_values: { status: 'inactive', because: isNamed ? 'the naming was taken back' : 'the naming of whoever made or changed the account was taken back' },
  });
}

async function findNaming({ db }: Pick<Deps, 'db'>, staff: Actor, id: string) {
  const [naming] = await read(db, staff, kysely.selectFrom('administrator_namings').where('id', '=', id).selectAll());
  if (naming === undefined) throw notFound('naming');
  return naming;
}

async function lockNaming(tx: Tx, id: string) {
  const naming = await tx.em.findOne(AdministratorNamingEntity, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE });
  if (naming === null) throw notFound('naming');
  return naming;
}

function conflict(detail: string): Problem {
  return new Problem({ code: 'resource.conflict', detail });
}
