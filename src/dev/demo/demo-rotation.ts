import { ProblemError } from '../../sdk/index.ts';
import { prove, say, waitFor } from './demo-caller.ts';
import type { Caller } from './demo-caller.ts';
import type { DemoCompany } from './demo-company.ts';

/** A key that is exchanged: the new one is verified by a real call, the old one is revoked and verified to be refused. */
export async function showRotation(owner: Caller, rotator: Caller, company: DemoCompany): Promise<void> {
  const integration = await connect(owner, company);
  say(`${owner.person.full_name} connects the company's service`, {
    key: integration.key_id ?? '',
    secret: integration.secret ?? '',
    fingerprint: integration.secret_fingerprint ?? '',
  });
  const { adminApi } = rotator.client;
  const outcome = await prove(rotator, (proof) =>
    adminApi.rotateAPIKey(integration.id, { environment: 'development', grace_seconds: 0, reason: 'Demonstration' }, proof),
  );
  if (outcome.kind !== 'done') throw new Error('A policy asks for approval in development.');
  const path = { id: integration.id, rotationId: outcome.result.id };
  const done = await waitFor('The exchange of the key', async () => {
    const { data, error } = await rotator.client.http.GET('/admin/integrations/{id}/rotations/{rotationId}', {
      params: { path },
    });
    if (data === undefined) throw new ProblemError(error);
    if (data.status === 'failed' || data.status === 'aborted') throw new Error(`The rotation is ${data.status}.`);
    return data.status === 'completed' ? data : null;
  });
  const refused = await fetch(`${company.url}/me`, { headers: { 'x-api-key': company.key.secret } });
  if (refused.status !== 401) throw new Error(`The old key is answered with ${refused.status}.`);
  say('A workflow has exchanged the key: made, proved, switched, revoked', {
    'old key': `${done.old_key_id ?? ''}, answered with ${refused.status}`,
    'new key': done.new_key_id ?? '',
    'refused since': done.refused_at ?? '',
  });
}

async function connect(owner: Caller, company: DemoCompany) {
  // Named before: the proof is bound to exactly this request.
  const name = `demo company ${Date.now()}`;
  return prove(owner, async ({ mfaToken }) => {
    const { data, error } = await owner.client.http.POST('/admin/integrations', {
      body: {
        name,
        environment: 'development',
        config: {
          kind: 'rest_api_key',
          base_url: company.url,
          auth_header: 'X-Api-Key',
          auth_scheme: null,
          probe_path: '/me',
          records_path: '/records',
          key_management: { path: '/keys', secret_pointer: '/key' },
        },
        ...company.key,
      },
      params: { header: mfaToken === undefined ? {} : { 'X-MFA-Token': mfaToken } },
    });
    if (data === undefined) throw new ProblemError(error);
    return data;
  });
}
