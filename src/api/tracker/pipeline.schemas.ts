import { z } from 'zod';
import { requirableFields } from '../../domain/tracker/tracker-pipeline.ts';
import { lineText, timestamp } from '../../platform/value-schemas.ts';
import { rowId } from './tracker.schemas.ts';

const name = lineText(100);
const percent = z.int().min(0).max(100).describe('Chance of winning from this stage, in percent');

const stageFields = {
  name,
  position: z.int().min(1).max(1000),
  probability: percent,
  rotting_days: z.int().min(1).max(3650).nullable(),
  required_fields: z.array(z.enum(requirableFields)).max(requirableFields.length),
};

/** A stage that is created with its pipeline. */
const newStage = z.strictObject({
  name,
  probability: percent,
  rotting_days: stageFields.rotting_days.default(null),
  required_fields: stageFields.required_fields.default([]),
});

/** The stages of a pipeline have different names, whatever their case. */
function reportRepeatedNames(stages: readonly { readonly name: string }[], { addIssue }: z.RefinementCtx): void {
  const names = stages.map((stage) => stage.name.toLowerCase());
  names.forEach((lower, index) => {
    if (names.indexOf(lower) < index) addIssue({ code: 'custom', path: [index, 'name'], message: 'is the name of an earlier stage' });
  });
}

export const StageBody = z
  .object({
    id: rowId,
    pipeline_id: rowId,
    name: z.string(),
    position: z.int().describe('Order within the pipeline, from 1'),
    probability: percent,
    rotting_days: z.int().nullable().describe('Days after which a prospect rots here; null: never'),
    required_fields: z.array(z.enum(requirableFields)),
  })
  .meta({ id: 'PipelineStage' });

export const StageCreate = newStage
  .extend({ position: stageFields.position.optional() })
  .meta({ id: 'PipelineStageCreate' });

export const StageUpdate = z.strictObject(stageFields).partial().meta({ id: 'PipelineStageUpdate' });

export const PipelineBody = z
  .object({
    id: rowId,
    name: z.string(),
    is_default: z.boolean(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.int(),
    stages: z.array(StageBody),
  })
  .meta({ id: 'Pipeline' });

export const PipelineCreate = z
  .strictObject({
    name,
    is_default: z.boolean().default(false).describe('Replaces the current default'),
    stages: z.array(newStage).min(1).max(50).superRefine(reportRepeatedNames),
  })
  .meta({ id: 'PipelineCreate' });

export const PipelineUpdate = z
  .strictObject({ name: name.optional(), is_default: z.boolean().optional().describe('True replaces the current default') })
  .meta({ id: 'PipelineUpdate' });

export const PipelineSummaryBody = z.object({
  items: z.array(
    z
      .object({
        stage_id: rowId,
        currency: z.string().nullable(),
        prospects: z.int().describe('Open prospects in the stage'),
        value_minor: z.int().describe('Sum of their values, in minor units'),
        weighted_value_minor: z.int().describe('Sum of value times probability, in minor units'),
      })
      .meta({ id: 'StageSummary' }),
  ),
});
