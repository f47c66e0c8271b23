import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createCastellanClient, isProblem, ProblemError } from '../../src/sdk/index.ts';
import type { SessionTokens } from '../../src/sdk/index.ts';
import { samplePassword, samplePeople } from '../../src/dev/sample-data.ts';
import { startTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';

let app: TestApi;
const [admin] = samplePeople;
if (admin === undefined) throw new Error('There are no sample people.');

beforeAll(async () => {
  app = await startTestApi();
});
afterAll(() => app.close());

/** A client that counts what it sends. */
function countingClient(tokens?: SessionTokens) {
  const sent: string[] = [];
  const kept: (SessionTokens | null)[] = [];
  const client = createCastellanClient({
    baseUrl: app.url,
    ...(tokens === undefined ? {} : { tokens }),
    onTokens: (next) => kept.push(next),
    fetch: (request) => {
      sent.push(`${request.method} ${new URL(request.url).pathname}`);
      return fetch(request);
    },
  });
  return { client, sent, kept };
}

async function signedInTokens(): Promise<SessionTokens> {
  const { client } = countingClient();
  return client.signIn({ email: admin!.email, password: samplePassword });
}

describe('session of the typed client', () => {
  it('signs in, calls as the person and signs out', async () => {
    const { client, kept } = countingClient();
    await client.signIn({ email: admin.email, password: samplePassword });
    const { data } = await client.http.GET('/users/me');
    expect(data?.email).toBe(admin.email);
    await client.signOut();
    expect(client.tokens).toBeNull();
    expect(kept).toHaveLength(2);
  });

  it('throws a refused sign-in as a typed problem', async () => {
    const { client } = countingClient();
    const refused = await client.signIn({ email: admin.email, password: 'not the password' }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ProblemError);
    expect(refused).toMatchObject({ code: 'auth.invalid-credentials', status: 401 });
  });

  it('names every violated rule of a bad input', async () => {
    const { client } = countingClient();
    const refused = await client.signIn({ password: '' }).catch((error: unknown) => error);
    expect(isProblem(refused, 'request.invalid') && refused.errors.length).toBeGreaterThan(0);
  });

  it('refreshes once for any number of concurrent calls and repeats them with their bodies', async () => {
    const tokens = await signedInTokens();
    const { client, sent, kept } = countingClient({ ...tokens, access_token: 'worn-out' });
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        client.http.POST('/rbac/check-permission', { body: { permission: 'role:read' } }),
      ),
    );
    expect(answers.map(({ data }) => data?.allowed)).toEqual(Array.from({ length: 8 }, () => true));
    expect(sent.filter((line) => line === 'POST /auth/refresh')).toHaveLength(1);
    expect(kept).toHaveLength(1);
  });

  it('gives up after one refused refresh and forgets the tokens', async () => {
    const { client, sent, kept } = countingClient({ access_token: 'worn-out', refresh_token: 'nobody-knows-it' });
    const { response } = await client.http.GET('/users/me');
    expect(response.status).toBe(401);
    expect(sent).toEqual(['GET /users/me', 'POST /auth/refresh']);
    expect(kept).toEqual([null]);
  });

  it('keeps the tokens when the server is away during the refresh', async () => {
    const tokens = { access_token: 'worn-out', refresh_token: 'kept' };
    const client = createCastellanClient({
      baseUrl: app.url,
      tokens,
      fetch: (request) =>
        new URL(request.url).pathname === '/auth/refresh'
          ? Promise.resolve(new Response('<html>', { status: 502 }))
          : fetch(request),
    });
    await expect(client.http.GET('/users/me')).rejects.toMatchObject({ code: 'response.unexpected', status: 502 });
    expect(client.tokens).toEqual(tokens);
  });
});

describe('functions of the typed client', () => {
  it('X-29: ask what somebody may do with a campaign, and show a role', async () => {
    const { client } = countingClient(await signedInTokens());
    const campaign = await client.assignmentApi.createCampaign({ name: 'Asked about' });
    const resource = { type: 'campaign', id: campaign.id } as const;
    expect(await client.accessApi.checkPermission({ permission: 'campaign:send', resource })).toEqual({
      allowed: true,
      rule: 'role-permission:campaign:send',
    });
    const [role] = (await client.adminApi.getRoles()).items;
    expect(await client.accessApi.getRole(role?.id ?? '')).toEqual(role);
  });

  it('U-19: open an onboarding link as its page does', async () => {
    const { client } = countingClient(await signedInTokens());
    const link = await client.onboardingApi.createLink({
      recipient_email: 'newcomer@people.example',
      recipient_name: 'New Comer',
      purpose: 'Join us',
      capabilities: ['save_progress', 'complete'],
    });
    expect(await client.onboardingApi.open(link.token)).toMatchObject({ status: 'opened', password_required: false });
    expect(await client.onboardingApi.getLink(link.id)).toMatchObject({ status: 'opened' });
  });
});
