import type { Actor } from '../../domain/shared/actor.ts';
import type { CampaignStatus } from '../../entities/assignment/campaign.entity.ts';
import { query } from '../../entities/kysely-schema.ts';
import { newestFirst } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { read } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/** Campaigns that are not deleted, with the columns of an answer. */
function campaignsQuery() {
  return query
    .selectFrom('campaigns')
    .where('deleted_at', 'is', null)
    .select(['id', 'name', 'description', 'channel', 'status', 'starts_on', 'ends_on'])
    .select(['created_by', 'created_at', 'updated_at', 'version']);
}

/** A page of campaigns, newest first. */
export function campaignList({ status, ...page }: Page & { readonly status?: CampaignStatus | undefined }) {
  return campaignsQuery()
    .where((eb) => eb.and({ status }))
    .$call(newestFirst(page));
}

/** Reads one campaign. @throws Problem 404. */
export async function loadCampaign({ db }: Pick<ProcessDeps, 'db'>, actor: Actor, id: string) {
  const [campaign] = await read(db, actor, campaignsQuery().where('id', '=', id));
  if (campaign === undefined) throw notFound('campaign');
  return campaign;
}
