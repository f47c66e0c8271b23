import { z } from 'zod';
import { notFound } from '../../platform/problem.ts';
import { campaignsQuery } from './assignment.schemas.ts';
import { versionEtag } from '../../platform/row-version.ts';
import { reply } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';

/** Where campaigns live. */
export const campaignsPath = '/api/admin/campaigns';
export const campaignPath = `${campaignsPath}/:campaign_id`;
export const campaignParams = z.object({ campaign_id: z.uuid() });

type Read = HandlerContext<unknown, unknown, unknown>['read'];

/** A campaign as it is answered with. @throws Problem 404. */
export async function showCampaign(read: Read, id: string, status = 200, headers: Record<string, string> = {}) {
  const [row] = await read(campaignsQuery().where('id', '=', id));
  if (row === undefined) throw notFound('campaign');
  return reply(status, row, { etag: versionEtag(row.version), ...headers });
}
