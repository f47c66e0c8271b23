import { z } from 'zod';
import { defineAction } from '../actions/action.ts';
import { subjectName } from '../actions/subject-names.queries.ts';
import { openAssignments } from './assignment-access.service.ts';
import { lockCampaign, lockMember } from './campaign/campaign.repository.ts';
import { removeMember } from './campaign/campaign-pool.service.ts';
import { uuid } from '../../platform/value-schemas.ts';

const removeCampaignPayload = z.strictObject({ user_id: uuid, campaign_id: uuid });

/** Removes a user from a campaign's pool (S3-6). Ungated unless the tenant has a gate policy for it. */
export const assignmentRemoveCampaign = defineAction({
  name: 'assignment.remove-campaign',
  title: 'Remove a user from a campaign',
  permission: 'assignment:manage',
  payload: removeCampaignPayload,
  unwrittenGate: 'none',
  environment: () => null,
  reason: () => null,
  describe: ({ user_id, campaign_id }) => `Remove the user ${user_id} from the campaign ${campaign_id}.`,
  present: async (db, scope, { user_id, campaign_id }) => {
    const [campaign, user] = await Promise.all([
      subjectName(db, scope, 'campaign', campaign_id),
      subjectName(db, scope, 'user', user_id),
    ]);
    return {
      description: `Remove ${user} from the campaign ${campaign}.`,
      changes: [{ field: 'member of the campaign', before: user, after: null }],
    };
  },
  check: async (tx, { user_id, campaign_id }) => {
    await openAssignments(tx);
    await lockMember(tx, campaign_id, user_id);
  },
  execute: async (tx, { user_id, campaign_id }) => {
    await openAssignments(tx);
    await lockCampaign(tx, campaign_id);
    const { id } = await removeMember(tx, campaign_id, user_id);
    return { assignment_id: id, campaign_id };
  },
  undo: () => null,
});
