import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { samplePassword, samplePeople } from '../../src/dev/sample-data.ts';
import { createCastellanClient, isProblem } from '../../src/sdk/index.ts';
import type { CastellanClient } from '../../src/sdk/index.ts';
import { startTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { maskOf } from '../support/document-numbers.ts';
import { someCpf } from '../support/factories/client-record.ts';

let app: TestApi;
let client: CastellanClient;

beforeAll(async () => {
  app = await startTestApi();
  client = createCastellanClient({ baseUrl: app.url });
  await client.signIn({ email: samplePeople[0]?.email ?? '', password: samplePassword });
});

afterAll(async () => {
  await app.close();
});

it('S4-19: a client record from its creation to its restore', async () => {
  const { clientsApi } = client;
  const cpf = someCpf();
  const made = await clientsApi.createClient({ name: 'Maria da Silva', cpf: maskOf(cpf), birth_date: '1985-03-02' });
  expect(made).toMatchObject({ cpf: `***.${cpf.slice(3, 6)}.${cpf.slice(6, 9)}-**`, version: 1 });
  expect(await clientsApi.getClient(made.id)).toEqual(made);
  expect((await clientsApi.getClients({ q: 'silva mar' })).items).toEqual([made]);
  expect(await clientsApi.searchClients({ cpf, count: true })).toMatchObject({ items: [made], total: { count: 1, is_exact: true } });
  expect(await clientsApi.revealClientCpf(made.id, { reason: 'Tax form' })).toEqual({ id: made.id, cpf, written: maskOf(cpf) });

  const changed = await clientsApi.updateClient(made.id, { name: 'Maria Souza' }, { version: 1 });
  expect(changed).toMatchObject({ name: 'Maria Souza', version: 2 });
  await expect(clientsApi.updateClient(made.id, { name: 'Maria Lima' }, { version: 1 })).rejects.toMatchObject({ status: 412 });
  await clientsApi.deleteClient(made.id, { version: 2 });
  expect((await clientsApi.getClients({ state: 'deleted' })).items).toMatchObject([{ id: made.id, is_active: false }]);

  const refused = await clientsApi.createClient({ name: 'Maria Souza', cpf, birth_date: '1985-03-02' }).catch((error: unknown) => error);
  expect(isProblem(refused, 'resource.conflict') && refused.members).toMatchObject({ existing: { client_id: made.id, is_deleted: true } });
  expect(await clientsApi.restoreClient(made.id, { version: 3 })).toMatchObject({ is_active: true, version: 4 });
});

it('a repetition with the same key makes no second record', async () => {
  const { clientsApi } = client;
  const [body, idempotencyKey] = [{ name: 'Ana Lima', birth_date: '1990-01-31' }, randomUUID()];
  const first = await clientsApi.createClient(body, { idempotencyKey });
  expect(await clientsApi.createClient(body, { idempotencyKey })).toEqual(first);
});
