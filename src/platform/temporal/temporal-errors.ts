import { WorkflowNotFoundError, WorkflowUpdateFailedError, isGrpcServiceError } from '@temporalio/client';
import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure } from '@temporalio/common';
import { isProblemCode } from '../../domain/shared/problem-codes.ts';
import { Problem } from '../problem.ts';

/** gRPC status codes that mean "not now": CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE. */
const unavailableStatusCodes = new Set([1, 4, 8, 14]);

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
  if (isUnavailable(error)) {
    return new Problem({
      code: 'service.unavailable',
      detail: 'The workflow service did not answer.',
      retryAfterSeconds: 5,
      cause: error,
    });
  }
  return error;
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

function isUnavailable(error: unknown): boolean {
  let current: unknown = error;
  for (let depth = 0; depth < 4 && current instanceof Error; depth += 1) {
    if (isGrpcServiceError(current) && unavailableStatusCodes.has(current.code)) return true;
    current = current.cause;
  }
  return false;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
