import { assignmentFunctions } from './assignment-functions-20261121.ts';
import { replacing, withPart } from './changed-function.ts';

/** Who may be dealt contacts, by the permission to see all contacts. */
export const poolOfReaders = replacing(assignmentFunctions, 'assignment_pool');

/** Who may be dealt contacts: whoever may look into campaigns. Their own contacts they see without a permission (U-9). */
export const poolOfMembers = withPart(
  poolOfReaders,
  `'contact:read' = any (coalesce(o.permissions, r.permissions))`,
  `coalesce(o.permissions, r.permissions) && array['contact:read', 'campaign:read']`,
);
