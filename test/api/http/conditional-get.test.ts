import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { createConfigProposal, createConfigVersion, createEnvironmentConfig } from '../../support/factories/config.ts';
import { callProven } from '../../support/second-factor.ts';

const flagsPath = '/ofrep/v1/evaluate/flags';
const configPath = '/config/staging?instance=web-1';

let app: TestApi;
let admin: SignedIn;
let token: string;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  const { id: proposal_id } = await createConfigProposal(app);
  await createConfigVersion(app, { proposal_id, environment: 'staging' });
  await createEnvironmentConfig(app, { environment: 'staging' });
  token = await issue({ name: 'application', environment: 'staging', permissions: ['flag:evaluate', 'config:read'] });
});

afterAll(() => app.close());

const issue = async (body: object): Promise<string> =>
  (await callProven(app, admin, 'POST', '/admin/service-tokens', { body })).body.token;

const evaluate = (headers: Record<string, string>, options: { token?: string; body?: unknown } = {}) =>
  app.call('POST', flagsPath, { token, body: { context: { targetingKey: 'a' } }, headers, ...options });

const readConfig = (headers: Record<string, string> = {}, caller = token) =>
  app.call('GET', configPath, { token: caller, headers });

const etagOf = ({ headers }: { headers: Headers }): string => headers.get('etag') ?? '';

describe('a conditional request of an application', () => {
  it('is answered 304 with the headers of the answer it stands for, and counted', async () => {
    const etag = etagOf(await evaluate({}));
    const unchanged = await evaluate({ 'if-none-match': etag });
    expect(unchanged).toMatchObject({ status: 304, body: null });
    expect(etagOf(unchanged)).toBe(etag);
    expect(unchanged.headers.get('cache-control')).toBe('no-store');
    const config = await readConfig({ 'if-none-match': etagOf(await readConfig()) });
    expect(config.status).toBe(304);
    expect(config.headers.get('cache-control')).toBe('private, no-cache');
    const metrics = await app.call('GET', '/metrics');
    expect(String(metrics.body)).toMatch(/method="POST",route="\/ofrep\/v1\/evaluate\/flags",status="304".*} 1$/m);
    expect(String(metrics.body)).toMatch(/method="GET",route="\/config\/:environment",status="304".*} 1$/m);
  });

  it('goes through all middlewares when it is traced, comes from a browser or from a person', async () => {
    const etag = etagOf(await readConfig());
    const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
    for (const headers of [trace, { origin: 'https://portal.castellan.test' }]) {
      const answer = await readConfig({ ...headers, 'if-none-match': etag });
      expect(answer.status).toBe(304);
      expect(answer.headers.get('x-request-id')).not.toBeNull();
    }
    const masked = etagOf(await readConfig({}, admin.token));
    expect(masked).toBe(etag.replace(/"$/, '-masked"'));
    expect((await readConfig({ 'if-none-match': masked }, admin.token)).status).toBe(304);
    expect((await readConfig({ 'if-none-match': etag }, admin.token)).status).toBe(200);
  });

  it('is refused like any other: unknown token, missing permission, other environment, bad input', async () => {
    const etag = etagOf(await evaluate({}));
    const asked = { 'if-none-match': etag };
    const json = { ...asked, 'content-type': 'application/json' };
    const elsewhere = await issue({ name: 'elsewhere', environment: 'development', permissions: ['flag:evaluate'] });
    const powerless = await issue({ name: 'powerless', environment: 'staging', permissions: ['config:read'] });
    expect(await evaluate(asked, { token: `${token.slice(0, -1)}_` })).toMatchObject({ status: 401 });
    expect(await evaluate(asked, { token: powerless })).toMatchObject({ status: 403 });
    expect((await evaluate(asked, { token: elsewhere })).status).toBe(200);
    expect(await evaluate(json, { body: '{"context":' })).toMatchObject({ status: 400, body: { code: 'request.malformed' } });
    expect(await evaluate(asked, { body: { context: { text: 'x'.repeat(1_100_000) } } })).toMatchObject({ status: 413 });
    const ofNothing = { 'if-none-match': etagOf(await evaluate({}, { body: {} })) };
    expect(await evaluate({ ...ofNothing, 'content-type': 'Application/JSON' }, { body: '{}' })).toMatchObject({ status: 304 });
    for (const type of ['text/plain', 'application/vnd.api+json']) {
      expect(await evaluate({ ...ofNothing, 'content-type': type }, { body: '{}' })).toMatchObject({ status: 415 });
    }
    expect((await evaluate(asked, { body: { context: [] } })).body).toMatchObject({ errorCode: 'INVALID_CONTEXT' });
    const badQuery = await app.call('POST', `${flagsPath}?environment=moon`, { token, body: {}, headers: asked });
    expect(badQuery).toMatchObject({ status: 422 });
  });
});
