import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createCastellanClient } from '../../src/sdk/index.ts';
import { startTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { day, fromNow } from '../support/factories/defaults.ts';
import { newMember, secondTenant } from '../support/people.ts';
import type { Member } from '../support/people.ts';
import { runProven } from '../support/second-factor.ts';

let app: TestApi;
let admin: Member;

beforeAll(async () => {
  app = await startTestApi();
  ({ admin } = await secondTenant(app));
});

afterAll(() => app.close());

describe('module permissions by the typed client (S4-19)', () => {
  it('are granted, listed, replaced, extended and revoked', async () => {
    const client = createCastellanClient({ baseUrl: app.url });
    await client.signIn({ email: admin.email, password: admin.password });
    // A proof belongs to a session, and the client has one of its own.
    const { access_token: token } = client.tokens!;
    const { sid: session_id } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sid: string };
    const person = { ...admin, token, session_id };
    const { user_id } = await newMember(app, admin);
    const [first, second] = [fromNow(2 * day), fromNow(3 * day)];
    const granted = await runProven(app, person, (proof) =>
      client.accessApi.grantAgentPermission(user_id, { agent_name: 'pdf_processing', can_read: true, expires_at: first }, proof),
    );
    expect((await client.accessApi.getAllAgentPermissions({ state: 'expiring' })).items).toMatchObject([{ id: granted.id, user_name: 'Some Member' }]);
    const replaced = await runProven(app, person, (proof) =>
      client.accessApi.replaceAgentPermission(user_id, 'pdf_processing', { can_create: true, expires_at: second }, { ...proof, version: granted.version }),
    );
    const extended = await runProven(app, person, (proof) =>
      client.accessApi.extendAgentPermission(user_id, 'pdf_processing', { expires_at: null }, { ...proof, version: replaced.version }),
    );
    expect(extended).toMatchObject({ can_read: false, can_create: true, expires_at: null, version: 3 });
    await runProven(app, person, (proof) => client.accessApi.revokeAgentPermission(user_id, 'pdf_processing', proof));
    expect((await client.accessApi.getAgentPermissions(user_id)).items).toEqual([]);
  });
});
