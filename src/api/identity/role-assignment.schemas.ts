import { z } from 'zod';
import { timestamp, uuid } from '../../platform/value-schemas.ts';
import { permissionNames } from './role.schemas.ts';

const assignment = {
  id: uuid,
  user_id: uuid,
  role_id: uuid,
  assigned_by: uuid.nullable(),
  approval_id: uuid.nullable().describe('The approved request under which it was assigned'),
  reason: z.string().nullable(),
  assigned_at: timestamp,
  valid_until: timestamp.nullable(),
  review_due_at: timestamp.nullable(),
  revoked_at: timestamp.nullable(),
  revoked_by: uuid.nullable().describe('Null if it lapsed'),
};

/** A row of the ledger of role assignments. */
export const assignmentView = z.object(assignment).meta({ id: 'RoleAssignment' });

/** A row of the ledger with the names of people and role. */
export const ledgerEntry = z
  .object({
    ...assignment,
    user_name: z.string(),
    role_code: z.string(),
    role_name: z.string(),
    assigned_by_name: z.string().nullable(),
  })
  .meta({ id: 'RoleLedgerEntry' });

/** What a person could do at a time, and by which roles. */
export const userRights = z
  .object({
    user_id: uuid,
    at: timestamp,
    status: z.enum(['active', 'inactive', 'deleted']).nullable().describe('Null before the account was created'),
    roles: z.array(z.string()).describe('Codes, including inherited roles'),
    permissions: permissionNames,
    assignments: z.array(ledgerEntry).describe('The rows of the ledger from which they follow'),
    role_definitions: z
      .array(
        z.object({
          role_id: uuid,
          code: z.string(),
          permissions: z.array(z.string()),
          changed_at: timestamp.describe('Since when the role had these permissions'),
          changed_by: uuid.nullable().describe('Null for the default of a system role'),
          approval_id: uuid.nullable(),
        }),
      )
      .describe('Own permissions of each of these roles at that time'),
  })
  .meta({ id: 'UserRights' });
