import {
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  isGrpcServiceError,
} from '@temporalio/client';
import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure } from '@temporalio/common';
import { isProblemCode } from '../../domain/shared/problem-codes.ts';
import { Problem } from '../problem.ts';

/** gRPC: RESOURCE_EXHAUSTED, as with more updates under way than one workflow takes. */
const exhausted = 8;

/**
 * Turns an error of a Temporal call into the problem that the caller gets. A failure that a workflow or activity threw for
 * a problem has the problem's code as its type; every other error stays as it is.
 */
export function translateTemporalError(error: unknown): unknown {
  const failure = findApplicationFailure(error);
  if (failure !== undefined && typeof failure.type === 'string' && isProblemCode(failure.type)) {
    const members = failure.details?.[0];
    return new Problem({
      code: failure.type,
      detail: failure.message,
      cause: error,
      ...(isRecord(members) ? { members } : {}),
    });
  }
  if (error instanceof WorkflowNotFoundError) {
    return new Problem({ code: 'resource.not-found', detail: 'There is no such running workflow.', cause: error });
  }
  const status = grpcStatusOf(error);
  if (status === undefined && !(error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)) return error;
  return new Problem({
    code: status === exhausted ? 'service.busy' : 'service.unavailable',
    detail: status === exhausted ? 'The workflow has too much to do at once.' : 'The workflow service did not answer.',
    retryAfterSeconds: 5,
    cause: error,
  });
}

function findApplicationFailure(error: unknown): ApplicationFailure | undefined {
  let current: unknown = error;
  for (let depth = 0; depth < 6 && current instanceof Error; depth += 1) {
    if (current instanceof ApplicationFailure) return current;
    const wraps =
      current instanceof WorkflowUpdateFailedError ||
      current instanceof ActivityFailure ||
      current instanceof ChildWorkflowFailure ||
      current.cause !== undefined;
    if (!wraps) return undefined;
    current = current.cause;
  }
  return undefined;
}

/** No status of a call tells what the server has done; every one means that there was no answer of ours. */
function grpcStatusOf(error: unknown): number | undefined {
  let current: unknown = error;
  for (let depth = 0; depth < 4 && current instanceof Error; depth += 1) {
    if (isGrpcServiceError(current)) return current.code;
    current = current.cause;
  }
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
