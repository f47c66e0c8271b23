import type { ParameterizedContext } from 'koa';
import type { Actor } from '../../domain/shared/actor.ts';
import { auditRefusal } from '../../platform/audit/audit-refusal.ts';
import type { ApiDeps } from '../deps.ts';
import type { RequestState } from './request-context.ts';
import { toProblem } from './problem-details.ts';
import type { Route } from './route.ts';
import type { Method } from './route-description.ts';

const actionOfMethod = { get: 'read', post: 'create', put: 'update', patch: 'update', delete: 'delete' } as const satisfies
  Record<Method, string>;

/** Statuses of a refusal to a known caller; bad input is a mistake, not an attempt. */
const refusals = new Set([403, 409, 410, 412, 428]);

/**
 * Records that a known caller was refused: a missing permission on any route, and every other no on a route that
 * changes something. The refusal stands even when it cannot be recorded: nothing was allowed.
 */
export async function auditRefusedRequest(
  deps: ApiDeps,
  route: Route,
  actor: Actor,
  ctx: ParameterizedContext<RequestState> & { params?: Record<string, string> },
  error: unknown,
): Promise<void> {
  const problem = toProblem(error);
  const counts = problem.status === 403 || (route.method !== 'get' && refusals.has(problem.status));
  // Asking for the factor is the first half of every gated call, not an attempt to get around it.
  if (!counts || route.permission === 'public' || (problem.code === 'mfa.required' && ctx.get('x-mfa-token') === '')) return;
  // As the route reads them, so that a row has one name in the audit; who lacks the permission may have sent anything.
  const ids = Object.values(route.params?.safeParse(ctx.params).data ?? ctx.params ?? {});
  try {
    await auditRefusal(deps.db, actor, {
      event: route.operationId,
      action: actionOfMethod[route.method],
      resource_type: route.tag,
      resource_id: ids.join('/').slice(0, 200) || null,
      reason: problem.code,
    });
  } catch (failure) {
    ctx.state.log.error({ err: failure, request_id: ctx.state.info.id }, 'a refused attempt could not be audited');
  }
}
