import { approvalOperations } from './approval-operations.ts';
import { changeOperations } from './change-operations.ts';
import type { Operation } from './command.ts';
import { peopleOperations } from './people-operations.ts';
import { trackerOperations } from './tracker-operations.ts';
import { queueOperations } from './queue-operations.ts';

/** Everything that the load is made of. */
export const operations: readonly Operation[] = [
  ...approvalOperations,
  ...changeOperations,
  ...trackerOperations,
  ...peopleOperations,
  ...queueOperations,
];
