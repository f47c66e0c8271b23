import { randomUUID } from 'node:crypto';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { jsonb } from '../../../src/platform/database/jsonb.ts';
import { uniqueName } from './defaults.ts';
import { insertRow } from './row-insertion.ts';
import type { Columns, Given, NewRow, Row, Target } from './row-insertion.ts';

/** A campaign that is being planned. */
export function createCampaign(target: Target, columns: Columns<'campaigns'> = {}): Promise<Row<'campaigns'>> {
  return insertRow(target, 'campaigns', { tenant_id: defaultTenantId, name: uniqueName('campaign'), ...columns });
}

/** Membership of the pool of a campaign. */
export function createCampaignMember(
  target: Target,
  columns: Given<'user_campaign_assignment', 'user_id' | 'campaign_id'>,
): Promise<Row<'user_campaign_assignment'>> {
  return insertRow(target, 'user_campaign_assignment', { tenant_id: defaultTenantId, ...columns });
}

export function newContact(columns: Columns<'contacts'> = {}): NewRow<'contacts'> {
  return { id: randomUUID(), tenant_id: defaultTenantId, name: 'Some Contact', ...columns };
}

/** A contact that nobody looks after. */
export function createContact(target: Target, columns?: Columns<'contacts'>): Promise<Row<'contacts'>> {
  return insertRow(target, 'contacts', newContact(columns));
}

/** A contact in somebody's care, by hand. */
export function newContactAssignment(
  columns: Given<'user_contact_assignment', 'user_id' | 'contact_id'>,
): NewRow<'user_contact_assignment'> {
  return { tenant_id: defaultTenantId, method: 'manual', reason: jsonb({ kind: 'manual', from_user_id: null }), ...columns };
}

/** A contact that waits behind others for somebody of a campaign. */
export function createQueuedContact(
  target: Target,
  columns: Given<'assignment_queue', 'campaign_id' | 'contact_id'>,
): Promise<Row<'assignment_queue'>> {
  return insertRow(target, 'assignment_queue', { tenant_id: defaultTenantId, reason: jsonb({ kind: 'behind_others' }), ...columns });
}

/** A hand-over of nothing. No workflow stands behind it. */
export function createAssignmentBatch(
  target: Target,
  columns: Columns<'assignment_batches'> = {},
): Promise<Row<'assignment_batches'>> {
  return insertRow(target, 'assignment_batches', {
    tenant_id: defaultTenantId,
    kind: 'hand_over',
    on_conflict: 'skip',
    total: 0,
    ...columns,
  });
}
