import type { Actor } from '../../domain/shared/actor.ts';
import { environmentNames } from '../../domain/shared/environment.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { ApiDeps } from '../deps.ts';
import { plainApplication } from '../http/conditional-get.ts';
import type { ConditionalRequest } from '../http/conditional-get.ts';

const path = new RegExp(`^/config/(${environmentNames.join('|')})(?:\\?instance=([\\w.:-]{1,200}))?$`);

/** True for people who may look, and for the tokens that are bound to exactly this environment. */
export function readsEnvironment({ kind, environment: bound }: Pick<Actor, 'kind' | 'environment'>, environment: EnvironmentName): boolean {
  return kind === 'user' || (bound ?? null) === environment;
}

/** Whether the configuration of an environment has changed for an instance of the application. */
export function unchangedConfig({
  configSnapshots,
  serviceTokens,
}: Pick<ApiDeps, 'configSnapshots' | 'serviceTokens'>): ConditionalRequest {
  return {
    method: 'GET',
    route: '/config/:environment',
    cacheControl: 'private, no-cache',
    isAskedBy: (url) => url.startsWith('/config/'),
    isUnchanged: async ({ req: { headers, url = '' } }, etag) => {
      const [, environment, instance] = path.exec(url) ?? [];
      if (!isEnvironment(environment)) return false;
      const caller = await plainApplication(serviceTokens, headers, 'config:read');
      if (caller === null || !readsEnvironment(caller, environment)) return false;
      const served = await configSnapshots.serve(caller.tenant_id, environment, instance ?? null);
      return served?.etag === etag;
    },
  };
}

function isEnvironment(name: string | undefined): name is EnvironmentName {
  return environmentNames.some((one) => one === name);
}
