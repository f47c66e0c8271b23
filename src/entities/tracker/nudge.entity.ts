import type { NudgePriority, NudgeRule, NudgeType } from '../../domain/tracker/tracker-nudge-rules.ts';
import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantPolicies } from '../shared/tenant-columns.ts';
import { ownedColumns } from './tracker-columns.ts';

/** A word at the right moment (S0-14, S0-95). Written through `actions/nudge-box.ts` only. */
export const AdminNudgeEntity = defineEntity({
  name: 'AdminNudge',
  tableName: 'admin_nudges',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...ownedColumns,
    type: p.string().length(50).$type<NudgeType>(),
    message: p.text(),
    priority: p.string().length(20).$type<NudgePriority>().default('normal'),
    read: p.boolean().default(false),
    action_url: p.text().nullable(),
    rule: p.string().length(50).$type<NudgeRule>(),
    /** Local day on which it was made. */
    day: p.date(),
    dedupe_key: p.string().length(100),
    worded_by: p.string().length(10).$type<'rule' | 'model'>().default('rule'),
    snoozed_until: timestamp().nullable(),
    expires_at: timestamp().nullable(),
  },
});

/** What was announced to a person once and for all; outlives a nudge that is deleted, so that it does not come back. */
export const NudgeMarkEntity = defineEntity({
  name: 'NudgeMark',
  tableName: 'admin_nudge_marks',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...ownedColumns,
    dedupe_key: p.string().length(100),
    day: p.date(),
    /** False for a key that another nudge settled. Delivered ones count for the daily cap. */
    delivered: p.boolean(),
  },
});
