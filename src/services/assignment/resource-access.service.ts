import { sql } from 'kysely';
import { campaignGrants } from '../../domain/assignment/campaign-permission.ts';
import { can, isAboveMemberships, ownerPermissions, rolePermissionFor } from '../../domain/identity/access.ts';
import type { AccessDecision, CampaignAccess, ContactAccess } from '../../domain/identity/access.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { Problem } from '../../platform/problem.ts';
import { read, readAll } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { openAssignmentsQuery } from './assignment-access.service.ts';

/** A campaign or a contact that somebody wants to do something with. */
export interface ResourceRef {
  readonly type: 'campaign' | 'contact';
  readonly id: string;
}

/** The campaign or the contact that the path of a request names; null where it names none. */
export function resourceOfPath({ campaign_id, contact_id }: Readonly<Record<string, string>>): ResourceRef | null {
  if (contact_id !== undefined) return { type: 'contact', id: contact_id };
  return campaign_id === undefined ? null : { type: 'campaign', id: campaign_id };
}

const grants = ['m.can_view', 'm.can_edit', 'm.can_send', 'm.can_manage'] as const;

/** The membership of a person in a campaign, as a join names it `m`. */
function campaignFacts(userId: string | null, campaignId: string) {
  return kysely
    .selectFrom('campaigns as c')
    .leftJoin('user_campaign_assignment as m', (join) =>
      join.onRef('m.campaign_id', '=', 'c.id').on('m.user_id', '=', userId).on('m.is_active', '=', true),
    )
    .where('c.id', '=', campaignId)
    .where('c.deleted_at', 'is', null)
    .select([...grants, 'm.id as membership_id']);
}

/** Whose a contact is, the campaign that it belongs to by its assignment or its place in a queue, and the membership there. */
function contactFacts(userId: string | null, contactId: string) {
  const campaign = sql.ref<string | null>('a.campaign_id');
  return kysely
    .selectFrom('contacts as c')
    .leftJoin('user_contact_assignment as a', (join) => join.onRef('a.contact_id', '=', 'c.id').on('a.released_at', 'is', null))
    .leftJoin('assignment_queue as q', (join) => join.onRef('q.contact_id', '=', 'c.id').on('q.left_at', 'is', null))
    .leftJoin('user_campaign_assignment as m', (join) =>
      join
        .on('m.campaign_id', '=', sql<string>`coalesce(${campaign}, q.campaign_id)`)
        .on('m.user_id', '=', userId)
        .on('m.is_active', '=', true),
    )
    .where('c.id', '=', contactId)
    .where('c.deleted_at', 'is', null)
    .select([...grants, 'm.id as membership_id', 'a.user_id as owner_id'])
    .select(sql<boolean>`a.id is null and q.id is not null`.as('is_pooled'));
}

/** A person whose access is judged, and by whom the facts are read. */
type Subject = Pick<Actor, 'user_id' | 'permissions' | 'roles'>;

/**
 * What the access rule has to know of a campaign or a contact; undefined for one that is not there.
 *
 * @param userId the person whose access is judged.
 */
async function factsOf(db: ReadSource, scope: ReadScope, userId: string | null, { type, id }: ResourceRef) {
  if (type === 'campaign') {
    const [, [row]] = await readAll(db, scope, [openAssignmentsQuery, campaignFacts(userId, id)] as const);
    return row === undefined ? undefined : ({ type, membership: membershipOf(row) } satisfies CampaignAccess);
  }
  const [, [row]] = await readAll(db, scope, [openAssignmentsQuery, contactFacts(userId, id)] as const);
  if (row === undefined) return undefined;
  const is_own = userId !== null && row.owner_id === userId;
  return { type, membership: membershipOf(row), is_own, is_pooled: row.is_pooled } satisfies ContactAccess;
}

interface MembershipRow {
  readonly membership_id: string | null;
  readonly can_view: boolean | null;
  readonly can_edit: boolean | null;
  readonly can_send: boolean | null;
  readonly can_manage: boolean | null;
}

function membershipOf({ membership_id, can_view, can_edit, can_send, can_manage }: MembershipRow) {
  if (membership_id === null) return null;
  return { can_view: can_view === true, can_edit: can_edit === true, can_send: can_send === true, can_manage: can_manage === true };
}

/**
 * Whether a person may do something with a campaign or a contact, and by which rule. About one that is not there only a role can
 * say something.
 *
 * @param scope who asks; the facts are read with the assignments of the tenant open.
 */
export async function decideAccess(
  db: ReadSource,
  scope: ReadScope,
  subject: Subject,
  permission: Permission,
  resource: ResourceRef,
): Promise<AccessDecision> {
  return can(subject, permission, (await factsOf(db, scope, subject.user_id, resource)) ?? null);
}

/** Whether what a role gives decides, so that nothing has to be looked up: a membership can take a campaign from most. */
function isDecidedByRole(actor: Pick<Actor, 'permissions'>, permission: Permission, resource: ResourceRef | null): boolean {
  if (rolePermissionFor(actor, permission) === undefined) return false;
  return resource?.type !== 'campaign' || isAboveMemberships(actor, permission);
}

/**
 * Lets the actor do something with a campaign or a contact (S3-8, X-29). For routes that are judged by their resource; inside a
 * transaction it is judged by what holds there.
 *
 * @param resource null for what only a role can allow.
 * @throws Problem `auth.forbidden` with the rule that decided, alike for a resource that is not there.
 */
export async function assertAccess(
  db: ReadSource,
  actor: Actor,
  permission: Permission,
  resource: ResourceRef | null,
): Promise<void> {
  if (isDecidedByRole(actor, permission, resource)) return;
  assertAllowed(resource === null ? can(actor, permission) : await decideAccess(db, actor, actor, permission, resource), permission);
}

/**
 * Lets the actor try what is judged by its resource: by a role, or with a campaign or a contact of their own, one of which it may
 * be about. What the request says is looked at afterwards, so that nobody else learns what it should say.
 *
 * @throws Problem `auth.forbidden`.
 */
export async function assertSomeAccess(db: ReadSource, actor: Actor, permission: Permission): Promise<void> {
  if (rolePermissionFor(actor, permission) !== undefined) return;
  // Whoever may look into campaigns works with contacts; which ones, the list decides.
  if (permission === 'contact:read' && rolePermissionFor(actor, 'campaign:read') !== undefined) return;
  const { user_id } = actor;
  const [found] = await read(
    db,
    actor,
    kysely.selectNoFrom((eb) => [
      eb
        .exists(
          eb
            .selectFrom('user_campaign_assignment')
            .where('user_id', '=', user_id)
            .where('is_active', '=', true)
            .where((of) => of.or(campaignGrants.map((grant) => of(sql.ref(grant), '=', true))))
            .select('id'),
        )
        .as('is_member'),
      eb
        .exists(eb.selectFrom('user_contact_assignment').where('user_id', '=', user_id).where('released_at', 'is', null).select('id'))
        .as('is_owner'),
    ]),
  );
  const allowed = found?.is_member === true || (found?.is_owner === true && ownerPermissions.includes(permission));
  assertAllowed({ allowed, rule: 'no-rule' }, permission);
}

/** @throws Problem `auth.forbidden` with the missing permission's name and the rule that decided. */
export function assertAllowed({ allowed, rule }: AccessDecision, permission: Permission): void {
  if (allowed) return;
  throw new Problem({
    code: 'auth.forbidden',
    detail: `This needs the permission ${permission}.`,
    members: { permission, rule },
  });
}
