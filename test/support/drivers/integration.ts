import type { Answer, SignedIn, TestApi } from '../api.ts';
import type { KeyService } from '../fakes/key-service.ts';
import { auditEvents } from '../audit-events.ts';
import { eventually } from '../eventually.ts';
import { callProven } from '../second-factor.ts';

/** How an integration with a key service is configured. */
export function restConfig(service: Pick<KeyService, 'url'>, changes: object = {}) {
  return {
    kind: 'rest_api_key',
    base_url: service.url,
    auth_header: 'X-Api-Key',
    auth_scheme: null,
    probe_path: '/me',
    records_path: '/records',
    paging: { page_size: 10 },
    key_management: { path: '/keys', secret_pointer: '/key' },
    ...changes,
  };
}

/** The same service, by client credentials. */
export function oauthConfig(service: Pick<KeyService, 'url'>, changes: object = {}) {
  const { auth_header: _header, auth_scheme: _scheme, ...http } = restConfig(service);
  return {
    ...http,
    kind: 'oauth2_client_credentials',
    token_url: `${service.url}/oauth/token`,
    client_id: 'castellan',
    ...changes,
  };
}

let names = 0;

/** What tests do with integrations, over HTTP. */
export function integrationDriver(app: TestApi, person: SignedIn) {
  const get = async (path: string) => (await app.call('GET', path, { token: person.token })).body;
  const create = (body: object): Promise<Answer> => {
    names += 1;
    return callProven(app, person, 'POST', '/admin/integrations', {
      body: { name: `integration ${names}`, environment: 'staging', ...body },
    });
  };
  const rotation = (id: string, rotationId: string) => get(`/admin/integrations/${id}/rotations/${rotationId}`);
  const job = (id: string, jobId: string) => get(`/admin/integrations/${id}/sync-jobs/${jobId}`);
  return {
    create,
    /** An integration with a key of the service, ready to sync and rotate. */
    connected: async (service: KeyService, config: object = restConfig(service), body: object = {}) => {
      const key = service.issue();
      const made = await create({ config, ...key, ...body });
      if (made.status !== 201) throw new Error(`Not created: ${JSON.stringify(made.body)}`);
      return { ...made.body, ...key } as { id: string; version: number; key_id: string; secret: string };
    },
    details: (id: string) => get(`/admin/integrations/${id}`),
    /** What happened to it by the audit, in order: `create`, `update` … */
    events: async (id: string) => (await auditEvents(app, 'integration', id)).map((event) => event.replace('integration.', '')),
    sync: (id: string): Promise<Answer> => app.call('POST', `/admin/integrations/${id}/sync`, { token: person.token }),
    job,
    ended: (id: string, jobId: string, timeoutMs?: number) =>
      eventually(
        () => job(id, jobId),
        ({ status }) => status !== 'running',
        timeoutMs,
      ),
    rotate: (id: string, body: object = {}): Promise<Answer> =>
      callProven(app, person, 'POST', `/admin/integrations/${id}/rotate-key`, { body: { environment: 'staging', ...body } }),
    rotation,
    rotated: (id: string, rotationId: string, status: string, timeoutMs?: number) =>
      eventually(
        () => rotation(id, rotationId),
        (found) => found.status === status,
        timeoutMs,
      ),
  };
}
