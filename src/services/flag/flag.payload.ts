import { z } from 'zod';
import { canonicalJson } from '../../domain/shared/canonical.ts';
import { environmentNames } from '../../domain/shared/environment.ts';
import { flagFaults, flagOperators, flagValueTypes } from '../../domain/flag/flag.ts';
import { lineText, proseText, uuid } from '../../platform/value-schemas.ts';

/** Largest definition: all flags of an environment are sent to every application. */
const maxDefinitionBytes = 32_768;

const name = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,99}$/, 'must be 1 to 100 letters, digits, dots, dashes or underscores');

export const flagKey = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, 'must be 1 to 100 lower-case letters, digits, dots, dashes or underscores');

export const flagEnvironment = z.enum(environmentNames);

/** Why somebody makes a change; kept in the history. */
export const changeReason = proseText(1000);

const condition = z.strictObject({
  attribute: z.string().min(1).max(100),
  operator: z.enum(flagOperators),
  values: z.array(z.union([z.string().max(500), z.number(), z.boolean()])).max(200),
});

const rule = z.strictObject({
  name: lineText(100),
  tenants: z.array(uuid).max(1000).default([]).describe('Empty means every tenant'),
  conditions: z.array(condition).max(20).default([]).describe('All conditions must match'),
  serve: z
    .array(z.strictObject({ variant: name, percentage: z.number().min(0).max(100) }))
    .min(1)
    .max(20)
    .describe('Percentages add up to 100'),
});

/** The definition of a flag as people give it; {@link withSoundness} adds the rules between its fields. */
export const flagContent = z.strictObject({
  description: proseText(1000, 0).default(''),
  value_type: z.enum(flagValueTypes),
  variants: z
    .record(name, z.json())
    .refine((variants) => Object.keys(variants).length >= 1, 'at least one variant is needed')
    .refine((variants) => Object.keys(variants).length <= 50, 'at most 50 variants are possible'),
  enabled: z.boolean(),
  on_variant: name,
  off_variant: name,
  rollout_percentage: z.number().min(0).max(100).describe('0 to 100 with up to three decimals; a toggle is 0 or 100'),
  rules: z.array(rule).max(50).default([]).describe('The first rule that matches decides'),
  // No default: it would change the digest of requests that wait since the release before, and loosen a flag unseen.
  off_is_safe: z
    .boolean()
    .optional()
    .describe('False: switching it off is not safe, so there is no emergency-off. Absent: as it is; true for a new flag'),
});

/** Adds to a schema that holds a flag's content the checks that span several of its fields. */
export function withSoundness<Shape extends typeof flagContent>(schema: Shape): Shape {
  return schema.superRefine((flag, context) => {
    for (const { path, message } of flagFaults(flag)) {
      context.addIssue({ code: 'custom', path: path.split('/').slice(1), message });
    }
    if (canonicalJson(flag).length > maxDefinitionBytes) {
      context.addIssue({ code: 'custom', path: [], message: `must stay below ${maxDefinitionBytes} bytes` });
    }
  });
}

/** A whole definition. */
export const flagDefinition = withSoundness(flagContent);

/** What approvers read of a proposal that leaves no emergency-off; else nothing. */
export function offText({ off_is_safe }: z.output<typeof flagContent>): string {
  return off_is_safe === false ? ' Switching it off is not safe: there is no emergency-off.' : '';
}
