import type { AccountActKind } from '../../domain/approval/independence.ts';
import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies } from '../shared/tenant-columns.ts';

/** How an act came to be closed: somebody else has confirmed it, or its person was named from outside (R12). */
export type ActCloseReason = 'confirmed' | 'named';

/** What somebody did to another person's account (four eyes, R1 to R3). Nothing but its end is ever changed. */
export const AccountActEntity = defineEntity({
  name: 'AccountAct',
  tableName: 'account_acts',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    target_id: p.uuid(),
    actor_id: p.uuid(),
    kind: p.text().$type<AccountActKind>(),
    /** What was changed, for people who confirm it: role codes, masked addresses. */
    detail: p.text().nullable(),
    /** The request that carried it out; null for what one person did alone. */
    approval_id: p.uuid().nullable(),
    /** When it ages out; null where it never does. */
    closes_at: timestamp().nullable(),
    closed_at: timestamp().nullable(),
    closed_by: p.uuid().nullable(),
    close_reason: p.text().nullable().$type<ActCloseReason>(),
  },
});
