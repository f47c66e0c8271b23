import { z } from 'zod';
import { campaignChannels, campaignStatuses } from '../../entities/assignment/campaign.entity.ts';
import { day, dayInput, lineText, proseText, timestamp, uuid } from '../../platform/value-schemas.ts';

/** What routes that take something away say about who may. */
export const judgedRemoval =
  'Who manages the campaign may do it without the permission, unless a gate policy asks for approval: requests are opened by ' +
  'people with the permission.';

/** A campaign. */
export const campaignView = z
  .object({
    id: uuid,
    name: z.string(),
    description: z.string().nullable(),
    channel: z.enum(campaignChannels).nullable(),
    status: z.enum(campaignStatuses).describe('Contacts are auto-assigned in an active campaign only'),
    starts_on: day.nullable(),
    ends_on: day.nullable(),
    created_by: uuid.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.number().int(),
  })
  .meta({ id: 'Campaign' });

/** The fields that people write, without defaults. */
const fields = {
  name: lineText(200),
  description: proseText(5000).nullable(),
  channel: z.enum(campaignChannels).nullable(),
  status: z.enum(campaignStatuses),
  starts_on: dayInput.nullable(),
  ends_on: dayInput.nullable(),
};

/** Body of a creation. */
export const campaignCreation = z
  .strictObject({
    ...fields,
    description: fields.description.default(null),
    channel: fields.channel.default(null),
    status: fields.status.default('planning'),
    starts_on: fields.starts_on.default(null),
    ends_on: fields.ends_on.default(null),
  })
  .refine(({ starts_on, ends_on }) => starts_on === null || ends_on === null || starts_on <= ends_on, {
    message: 'must not be before starts_on',
    path: ['ends_on'],
  })
  .meta({ id: 'CampaignCreation' });

/** Body of a change; what is left out stays. */
export const campaignUpdate = z.strictObject(fields).partial().meta({ id: 'CampaignUpdate' });
