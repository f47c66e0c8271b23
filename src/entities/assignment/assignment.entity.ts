import type { AssignmentReason, QueueReason } from '../../domain/assignment/assignment.ts';
import { jsonb, timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

type AssignmentMethod = 'manual' | 'round_robin' | 'reassign';
type BatchKind = 'bulk' | 'hand_over';
type BatchStatus = 'running' | 'completed' | 'cancelled';
type ItemOutcome = 'assigned' | 'queued' | 'skipped' | 'conflict';

/** The tenant's isolation, full access for a transaction that manages assignments, and each user's own rows (S3-38). */
const assignmentPolicies = [
  ...tenantPolicies.filter(({ type }) => type === 'restrictive'),
  {
    name: 'manager_access',
    type: 'permissive' as const,
    roles: ['castellan_app'],
    using: "(select current_setting('app.assignment_access', true)) = 'manage'",
    check: "(select current_setting('app.assignment_access', true)) = 'manage'",
  },
  {
    name: 'member_reads_own',
    type: 'permissive' as const,
    command: 'select' as const,
    roles: ['castellan_app'],
    using: "user_id = (select nullif(current_setting('app.user_id', true), '')::uuid)",
  },
];

/** A member of a campaign's pool, with permissions there and settings of the rule (S3-8, S3-35). */
export const UserCampaignAssignmentEntity = defineEntity({
  name: 'UserCampaignAssignment',
  tableName: 'user_campaign_assignment',
  rowLevelSecurity: 'force',
  policies: assignmentPolicies,
  properties: {
    ...tenantColumns,
    user_id: p.uuid(),
    campaign_id: p.uuid(),
    can_view: p.boolean().default(true),
    can_edit: p.boolean().default(false),
    can_send: p.boolean().default(false),
    can_manage: p.boolean().default(false),
    /** Relative share of what the rule assigns. */
    weight: p.integer().default(100),
    /** Null: no limit. */
    max_open_contacts: p.integer().nullable(),
    /** False: contacts are assigned by hand only. */
    auto_assign: p.boolean().default(true),
    paused_until: timestamp().nullable(),
    /** Contacts assigned by the rule since joining. */
    dealt_count: p.integer().default(0),
    /** Stands for contacts assigned before joining and during absences, so that no backlog is assigned afterwards. */
    credit: p.integer().default(0),
    /** Kept by a trigger on `user_contact_assignment`. */
    open_contacts: p.integer().default(0),
    /** Number of the pool's assignment in which the member was chosen last. */
    last_turn: p.integer().nullable(),
    last_assigned_at: timestamp().nullable(),
    assigned_by: p.uuid().nullable(),
    assigned_at: timestamp().defaultRaw('now()'),
    is_active: p.boolean().default(true),
    removed_at: timestamp().nullable(),
    ...versionedColumns,
  },
});

/** The owner of a contact, since when, and why; released rows stay as history (S3-9, S3-36, S3-43). */
export const UserContactAssignmentEntity = defineEntity({
  name: 'UserContactAssignment',
  tableName: 'user_contact_assignment',
  rowLevelSecurity: 'force',
  policies: assignmentPolicies,
  properties: {
    ...tenantColumns,
    user_id: p.uuid(),
    contact_id: p.uuid(),
    campaign_id: p.uuid().nullable(),
    method: p.text().$type<AssignmentMethod>(),
    reason: jsonb<AssignmentReason>(),
    assigned_by: p.uuid().nullable(),
    assigned_at: timestamp().defaultRaw('now()'),
    released_at: timestamp().nullable(),
  },
});

/** A contact that nobody could take yet; contacts of a campaign leave in the order of `position` (S3-40). */
export const AssignmentQueueEntity = defineEntity({
  name: 'AssignmentQueue',
  tableName: 'assignment_queue',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    /** Null: the contact belongs to no campaign, so it has to be assigned by hand. */
    campaign_id: p.uuid().nullable(),
    contact_id: p.uuid(),
    position: p.bigint('number').autoincrement(),
    reason: jsonb<QueueReason>(),
    preferred_user_id: p.uuid().nullable(),
    former_user_id: p.uuid().nullable(),
    requested_by: p.uuid().nullable(),
    left_at: timestamp().nullable(),
    outcome: p.text().nullable().$type<'assigned' | 'withdrawn'>(),
  },
});

/** Many contacts that one workflow assigns by the rule (`bulk`) or reassigns (`hand_over`). */
export const AssignmentBatchEntity = defineEntity({
  name: 'AssignmentBatch',
  tableName: 'assignment_batches',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    kind: p.text().$type<BatchKind>(),
    campaign_id: p.uuid().nullable(),
    from_user_id: p.uuid().nullable(),
    to_user_id: p.uuid().nullable(),
    on_conflict: p.text().$type<'skip' | 'reassign'>(),
    keep_owner: p.boolean().default(false),
    /** Whether contacts that belong to other campaigns, or to somebody by hand, are dealt as well. */
    takes_from_others: p.boolean().default(true),
    status: p.text().default('running').$type<BatchStatus>(),
    total: p.integer(),
    /** Position of the last item that is done; the items behind it are still to be done. */
    settled_position: p.integer().default(0),
    requested_by: p.uuid().nullable(),
    finished_at: timestamp().nullable(),
  },
});

/** One contact of a batch; without outcome it is still to be done. */
export const AssignmentBatchItemEntity = defineEntity({
  name: 'AssignmentBatchItem',
  tableName: 'assignment_batch_items',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    batch_id: p.uuid(),
    position: p.integer(),
    contact_id: p.uuid(),
    campaign_id: p.uuid().nullable(),
    outcome: p.text().nullable().$type<ItemOutcome>(),
    detail: p.text().nullable(),
    user_id: p.uuid().nullable(),
    settled_at: timestamp().nullable(),
  },
});
