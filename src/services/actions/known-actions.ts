import type { JsonValue } from '../../domain/shared/canonical.ts';
import { Problem } from '../../platform/problem.ts';
import type { Action, PreparedAction } from './action.ts';

/*
 * The actions by name, apart from their list: an action that changes gates has to look other actions up, and the list
 * imports it. Everybody else imports `registry.ts`, which fills this.
 */
const byName = new Map<string, Action>();

/** Makes actions known by their names. */
export function registerActions(actions: readonly Action[]): void {
  for (const action of actions) byName.set(action.name, action);
}

/** The action of a name, or undefined. */
export function findAction(name: string): Action | undefined {
  return byName.get(name);
}

/**
 * An action with a payload that was stored before, or null when it cannot be made any more: the payload was erased, or
 * neither action nor payload may be known to this release.
 */
export function prepareStored(name: string, payload: JsonValue | null): PreparedAction | null {
  const action = findAction(name);
  if (action === undefined || payload === null || !action.payloadSchema.safeParse(payload).success) return null;
  return action.prepare(payload);
}

/** @throws Problem `request.invalid` when there is no action of that name. */
export function getAction(name: string): Action {
  const action = findAction(name);
  if (action !== undefined) return action;
  throw new Problem({
    code: 'request.invalid',
    detail: 'There is no such action; GET /admin/approvals/gates lists them.',
    errors: [{ pointer: '/action', detail: 'is not the name of an action' }],
  });
}
