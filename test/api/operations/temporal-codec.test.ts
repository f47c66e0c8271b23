import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { approvalWorkflowId } from '../../../src/workflows/approval/approval.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import type { OpenedRequest } from '../../support/drivers/approval.ts';
import { quietTemporal } from '../../support/temporal/temporal.ts';
import { secondTenant } from '../../support/people.ts';

const web = 'https://temporal.castellan.test';

let app: TestApi;
let worker: RunningWorker;
let admin: SignedIn;
let request: OpenedRequest;

beforeAll(async () => {
  await quietTemporal();
  app = await startTestApi({
    TEMPORAL_PAYLOAD_KEYS: `t1:${randomBytes(32).toString('base64')}`,
    TEMPORAL_WEB_URL: `${web}/namespaces`,
  });
  worker = await startWorker(app.env, app.api.deps.log);
  admin = await app.signIn('role-super-admin');
  request = await approvalDriver(app, admin).opened('codec-flag');
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

interface JsonPayload {
  metadata: Record<string, string>;
  data: string;
}

const base64 = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString('base64');
const textOf = ({ data }: JsonPayload) => Buffer.from(data, 'base64').toString();

/** The input and summary of an approval request's workflow as stored by the server, in Temporal's JSON. */
async function storedPayloads(): Promise<JsonPayload[]> {
  const { history } = await app.api.deps.temporal.client.workflowService.getWorkflowExecutionHistory({
    namespace: app.env.TEMPORAL_NAMESPACE,
    execution: { workflowId: approvalWorkflowId(defaultTenantId, request.id) },
  });
  const [started] = history?.events ?? [];
  const input = started?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  const summary = started?.userMetadata?.summary;
  return [...input, ...(summary == null ? [] : [summary])].map(({ metadata, data }) => ({
    metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([key, value]) => [key, base64(value)])),
    data: base64(data),
  }));
}

const codec = (what: 'decode' | 'encode', body: unknown, token: string | undefined = admin.token) =>
  app.call('POST', `/temporal/codec/${what}`, { token, body, headers: { 'x-namespace': 'default', origin: web } });

describe('codec server for Temporal Web', () => {
  it('opens sealed payloads of the server, and seals them again', async () => {
    const sealed = await storedPayloads();
    expect(sealed).toHaveLength(2);
    expect(sealed.map(textOf).join()).not.toContain(request.id);
    const opened = await codec('decode', { payloads: sealed });
    expect(opened.status).toBe(200);
    expect(opened.headers.get('access-control-allow-origin')).toBe(web);
    const [input, summary] = opened.body.payloads;
    expect(JSON.parse(textOf(input))).toMatchObject({ approval_id: request.id, action: 'flag.toggle' });
    expect(JSON.parse(textOf(summary))).toBe('Approval of flag.toggle in production');

    const again = await codec('encode', opened.body);
    expect(again.body.payloads.map(textOf).join()).not.toContain(request.id);
    expect((await codec('decode', again.body)).body).toEqual(opened.body);
  });

  it('refuses payloads that no key opens, with the reason, and input that is no payload', async () => {
    const [sealed] = await storedPayloads();
    if (sealed === undefined) throw new Error('no payload');
    const foreign = { ...sealed.metadata, 'encryption-key-id': base64(Buffer.from('gone')) };
    const refused = await codec('decode', { payloads: [{ ...sealed, metadata: foreign }] });
    expect(refused).toMatchObject({ status: 422, body: { code: 'request.invalid' } });
    expect(refused.body.detail).toContain('"gone"');
    expect((await codec('decode', { payloads: [{ data: 'no base64!' }] })).status).toBe(422);
    expect((await codec('decode', { payloads: [], tenant_id: defaultTenantId })).status).toBe(422);
  });

  it('is for the staff of the platform: refuses no token, a lower role and a super admin of another tenant', async () => {
    const sealed = { payloads: await storedPayloads() };
    expect((await app.call('POST', '/temporal/codec/decode', { body: sealed })).status).toBe(401);
    const provider = await app.signIn('role-provider-admin');
    expect((await codec('decode', sealed, provider.token)).status).toBe(403);
    const other = await secondTenant(app);
    expect((await codec('decode', sealed, other.admin.token)).status).toBe(403);
    expect((await codec('encode', sealed, other.admin.token)).status).toBe(403);
  });

  it('permits cross-origin calls from Temporal Web to these paths only', async () => {
    const preflight = (path: string) =>
      app.call('OPTIONS', path, {
        headers: {
          origin: web,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,content-type,x-namespace',
        },
      });
    const allowed = await preflight('/temporal/codec/decode');
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe(web);
    expect(allowed.headers.get('access-control-allow-headers')).toContain('x-namespace');
    expect((await preflight('/admin/approvals')).headers.get('access-control-allow-origin')).toBeNull();
  });
});
