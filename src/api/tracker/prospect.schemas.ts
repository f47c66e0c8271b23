import { z } from 'zod';
import { prospectStatuses } from '../../domain/tracker/tracker-pipeline.ts';
import { email, timestampInput, timestamp } from '../../platform/value-schemas.ts';
import { freeText, rowId } from './tracker.schemas.ts';

const minorUnits = z.int().min(0).max(1_000_000_000_000);

export const prospectStatus = z.enum(prospectStatuses);

const prospectFields = {
  name: freeText(255).min(1),
  company: freeText(255).nullable(),
  email: email.nullable(),
  phone: freeText(32).nullable(),
  source: freeText(100).nullable(),
  value_minor: minorUnits.nullable(),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, 'must be a code of three capital letters')
    .nullable(),
  probability: z.int().min(0).max(100).describe('Chance of winning, in percent'),
  next_activity_at: timestampInput.nullable(),
};

export const ProspectBody = z
  .object({
    id: rowId,
    user_id: z.uuid(),
    pipeline_id: rowId,
    stage_id: rowId,
    stage_name: z.string(),
    ...prospectFields,
    email: z.string().nullable(),
    status: prospectStatus,
    lost_reason: z.string().nullable(),
    stage_entered_at: timestamp,
    seconds_in_stage: z.int().min(0).describe('Time since the last move, in seconds'),
    rots_at: timestamp.nullable().describe('Null where the prospect cannot rot'),
    is_rotting: z.boolean(),
    weighted_value_minor: z.int().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.int(),
  })
  .meta({ id: 'Prospect' });

const needsCurrency = { path: ['currency'], message: 'must be given with value_minor' };

export const ProspectCreate = z
  .strictObject(prospectFields)
  .partial()
  .extend({ name: prospectFields.name, stage_id: rowId.optional().describe('Default: first stage of the default pipeline') })
  .refine(({ value_minor, currency }) => value_minor == null || currency != null, needsCurrency)
  .meta({ id: 'ProspectCreate' });

export const ProspectUpdate = z.strictObject(prospectFields).partial().meta({ id: 'ProspectUpdate' });

export const ProspectMove = z
  .strictObject({
    stage_id: rowId.nullable().default(null),
    status: prospectStatus.nullable().default(null),
    lost_reason: freeText(1000).min(1).nullable().default(null),
  })
  .meta({ id: 'ProspectMove' });

export const StageHistoryBody = z
  .object({
    id: rowId,
    from_stage_id: rowId.nullable(),
    to_stage_id: rowId,
    from_status: prospectStatus.nullable(),
    to_status: prospectStatus,
    reason: z.string().nullable(),
    seconds_in_stage: z.int().nullable().describe('Time in the stage it left'),
    moved_by: z.uuid().nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'StageHistory' });

export const ProspectImportBody = z
  .object({
    imported: z.int().describe('Prospects that were added'),
    skipped: z.int().describe('Rows skipped because the prospect exists already'),
  })
  .meta({ id: 'ProspectImport' });
