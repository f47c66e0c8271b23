import { z } from 'zod';
import { kysely } from '../../../entities/kysely-schema.ts';
import { notFound } from '../../../platform/problem.ts';
import { defineAction, onlyExistence } from '../../actions/action.ts';
import { subjectName } from '../../actions/subject-names.queries.ts';
import { openAssignments } from '../assignment-access.service.ts';
import { deleteCampaign } from './campaign.service.ts';
import { rowVersion } from '../../../platform/row-version-input.ts';
import { uuid } from '../../../platform/value-schemas.ts';

const campaignDeletePayload = z.strictObject({ campaign_id: uuid, version: rowVersion });

/** Ends the campaign's pool; contacts stay with their owners. Ungated unless the tenant has a gate policy for it. */
export const campaignDelete = defineAction({
  name: 'campaign.delete',
  title: 'Delete a campaign',
  permission: 'campaign:manage',
  payload: campaignDeletePayload,
  unwrittenGate: 'none',
  environment: () => null,
  reason: () => null,
  describe: ({ campaign_id }) => `Delete the campaign ${campaign_id}.`,
  present: async (db, scope, { campaign_id }) => {
    const name = await subjectName(db, scope, 'campaign', campaign_id);
    return { description: `Delete the campaign ${name}.`, changes: [{ field: 'campaign', before: name, after: null }] };
  },
  basis: ({ campaign_id, version }) => ({
    base_version: version,
    judged_by: 'touched',
    // A deletion is of the row, whatever is in it: whoever edits it does not hold the deletion up.
    query: kysely
      .selectFrom('campaigns')
      .where('id', '=', campaign_id)
      .where('deleted_at', 'is', null)
      .select(['version', onlyExistence]),
  }),
  check: async (tx, { campaign_id, version }) => {
    const campaign = await tx.sql
      .selectFrom('campaigns')
      .where('id', '=', campaign_id)
      .where('version', '=', version)
      .where('deleted_at', 'is', null)
      .select('id')
      .executeTakeFirst();
    if (campaign === undefined) throw notFound('campaign');
  },
  execute: async (tx, { campaign_id, version }) => {
    await openAssignments(tx);
    await deleteCampaign(tx, campaign_id, version);
    return { campaign_id };
  },
  undo: () => null,
});
