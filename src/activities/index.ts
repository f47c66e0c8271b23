import type { ActivityDeps } from './deps.ts';

/** Every activity, bound to the parts of this process. */
export function createActivities(deps: ActivityDeps) {
  return {
  };
}

export type Activities = ReturnType<typeof createActivities>;
