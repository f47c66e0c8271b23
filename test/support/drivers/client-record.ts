import { expect } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import type { Answer, SignedIn, TestApi } from '../api.ts';
import { someCpf } from '../factories/client-record.ts';
import { asSuperuser } from '../superuser.ts';

export const clients = '/api/v1/clients';
export const merges = '/api/v1/client-merges';

/** Makes the sample tenant one whose identity document is the CPF, on the clocks of São Paulo. */
export async function keepCpf(app: TestApi): Promise<void> {
  await asSuperuser(app, "update tenants set id_document_type = 'cpf', time_zone = 'America/Sao_Paulo' where id = $1", [defaultTenantId]);
}

/** The body of a new client. */
export const person = (more: Record<string, unknown> = {}) => ({ name: 'Maria da Silva', cpf: someCpf(), birth_date: '1985-03-02', ...more });

/** Calls in the name of a person. */
export function clientDriver(app: TestApi, by: Pick<SignedIn, 'token'>) {
  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}, token = by.token): Promise<Answer> =>
    app.call(method, path, { token, ...(body === undefined ? {} : { body }), headers });
  const created = async (more: Record<string, unknown> = {}): Promise<Answer['body']> => {
    const answer = await call('POST', clients, person(more));
    expect(answer).toMatchObject({ status: 201 });
    return answer.body;
  };
  const shown = async (id: string): Promise<Answer['body']> => (await call('GET', `${clients}/${id}`)).body;
  /** Merges by the versions that are there now, unless others are given. */
  const merge = async (id: string, merged_id: string, more: Record<string, unknown> = {}, version?: number) => {
    const tag = { 'if-match': `"${version ?? (await shown(id)).version}"` };
    return call('POST', `${clients}/${id}/merge`, { merged_id, merged_version: (await shown(merged_id)).version ?? 1, ...more }, tag);
  };
  const undo = (id: string) => call('POST', `${merges}/${id}/undo`);
  return { call, created, shown, merge, undo };
}

/** Gives a person actions in the module of client records, and takes all others. */
export async function grantClients(app: TestApi, { user_id }: Pick<SignedIn, 'user_id'>, actions: readonly ('create' | 'read' | 'update' | 'delete')[]): Promise<void> {
  await asSuperuser(app, 'delete from user_agent_permissions where user_id = $1', [user_id]);
  const can = (['create', 'read', 'update', 'delete'] as const).map((action) => actions.includes(action));
  await asSuperuser(
    app,
    `insert into user_agent_permissions (tenant_id, user_id, agent_name, can_create, can_read, can_update, can_delete)
     values ($1, $2, 'client_management', $3, $4, $5, $6)`,
    [defaultTenantId, user_id, ...can],
  );
}
