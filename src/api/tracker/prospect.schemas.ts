import { z } from 'zod';
import { prospectStatuses } from '../../domain/tracker/tracker-pipeline.ts';
import { clockValues, proseText, timestamp, uuid } from '../../platform/value-schemas.ts';
import { prospectCreation, prospectFields } from '../../services/tracker/pipeline/prospect.payload.ts';
import { rowId } from './tracker.schemas.ts';

export const prospectStatus = z.enum(prospectStatuses);

export const ProspectBody = z
  .object({
    id: rowId,
    user_id: uuid,
    pipeline_id: rowId,
    stage_id: rowId,
    stage_name: z.string(),
    ...prospectFields,
    email: z.string().nullable(),
    currency: z.string().nullable(),
    status: prospectStatus,
    lost_reason: z.string().nullable(),
    stage_entered_at: timestamp,
    seconds_in_stage: z.int().min(0).describe('Time since the last move, in seconds').register(clockValues),
    rots_at: timestamp.nullable().describe('Null where the prospect cannot rot'),
    is_rotting: z.boolean().register(clockValues),
    weighted_value_minor: z.int().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.int(),
  })
  .meta({ id: 'Prospect' });

export const ProspectCreate = prospectCreation
  .safeExtend({ stage_id: rowId.optional().describe('Default: first stage of the default pipeline') })
  .meta({ id: 'ProspectCreate' });

export const ProspectUpdate = z.strictObject(prospectFields).partial().meta({ id: 'ProspectUpdate' });

export const ProspectMove = z
  .strictObject({
    stage_id: rowId.nullable().default(null),
    status: prospectStatus.nullable().default(null),
    lost_reason: proseText(1000).nullable().default(null),
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
    moved_by: uuid.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'StageHistory' });

export const ProspectImportBody = z
  .object({
    imported: z.int().describe('Prospects that were added'),
    skipped: z.int().describe('Rows skipped because the prospect exists already'),
  })
  .meta({ id: 'ProspectImport' });
