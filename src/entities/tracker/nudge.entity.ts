import type { NudgePriority, NudgeRule, NudgeType } from '../../domain/tracker/tracker-nudge-rules.ts';
import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantPolicies } from '../shared/tenant-columns.ts';
import { ownedColumns } from './tracker-columns.ts';

/** A nudge of a user (S0-14, S0-95). Written by `nudge.service.ts` only. */
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
    /** Local day on which it was delivered. */
    day: p.date(),
    dedupe_key: p.string().length(100),
    worded_by: p.string().length(10).$type<'rule' | 'model'>().default('rule'),
    snoozed_until: timestamp().nullable(),
    expires_at: timestamp().nullable(),
  },
});

/** A key that is not delivered again to its user. It outlives the nudge, so that a deleted one does not come back. */
export const NudgeMarkEntity = defineEntity({
  name: 'NudgeMark',
  tableName: 'admin_nudge_marks',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...ownedColumns,
    dedupe_key: p.string().length(100),
    day: p.date(),
    /** False for a key that another nudge settled. Only delivered ones count towards the daily cap. */
    delivered: p.boolean(),
  },
});

/** A nudge as text for logs (S0-23). */
export function nudgeText(nudge: { id: number; type: string; priority: string }): string {
  return `<AdminNudge(id=${nudge.id}, type=${nudge.type}, priority=${nudge.priority})>`;
}
