/* eslint-disable jest/no-export -- cases of one test file, which runs them on one stack */
import { describe, expect, it } from '@jest/globals';
import { isProblem } from '../../../src/sdk/index.ts';
import { freshTotpCode } from '../../support/totp.ts';
import { nobody, refusalOf, stage } from './stage.ts';

/** The audit log and the second factor (S2-29..31, S2-44, S2-45). */
export function evidenceCases(): void {
  describe('audit in the typed client (S2-29..31)', () => {
    it('S2-29, S2-30: getAuditLogs lists and getAuditLogDetails shows one with its proof', async () => {
      const { items } = await stage.admin.client.adminApi.getAuditLogs({ limit: 5 });
      expect(items).toHaveLength(5);
      const [first] = items;
      const details = await stage.admin.client.adminApi.getAuditLogDetails(first?.id ?? '');
      expect(details).toMatchObject({ id: first?.id, event: first?.event });
      expect(await refusalOf(stage.admin.client.adminApi.getAuditLogDetails(nobody))).toBe('resource.not-found');
      expect(await refusalOf(stage.agent.client.adminApi.getAuditLogs())).toBe('auth.forbidden');
    });

    it('S2-31: exportAuditLogs streams the entries and a manifest', async () => {
      const body = await stage.admin.client.adminApi.exportAuditLogs({ format: 'jsonl' });
      const lines = (await new Response(body).text()).trim().split('\n');
      expect(lines.length).toBeGreaterThan(5);
      expect(lines.at(-1)).toContain('manifest');
      expect(await refusalOf(stage.agent.client.adminApi.exportAuditLogs())).toBe('auth.forbidden');
    });
  });

  describe('second factor in the typed client (S2-44, S2-45)', () => {
    it('S2-44: requestMFACode refuses what is no digest', async () => {
      const bad = stage.admin.client.adminApi.requestMFACode({ action: 'createUser', payload_digest: 'short' });
      expect(await refusalOf(bad)).toBe('request.invalid');
    });

    it('S2-44, S2-45: requestMFACode and verifyMFACode give a proof for one action with one payload', async () => {
      const { client, person } = stage.approver;
      const body = { full_name: 'Proven Person', email: 'proven@example.com' };
      const refused: unknown = await client.adminApi.createUser(body).catch((error: unknown) => error);
      if (!isProblem(refused, 'mfa.required')) throw refused;
      const { action, payload_digest } = refused.members;
      const challenge = await client.adminApi.requestMFACode({
        action: String(action),
        payload_digest: String(payload_digest),
      });
      const code = await freshTotpCode(person);
      const { mfa_token } = await client.adminApi.verifyMFACode({ challenge_id: challenge.challenge_id, code });
      expect(await client.adminApi.createUser(body, { mfaToken: mfa_token })).toMatchObject({ kind: 'done', result: { email: body.email } });
      const again = client.adminApi.verifyMFACode({ challenge_id: challenge.challenge_id, code });
      expect(await refusalOf(again)).toMatch(/^mfa\./);
    });

    it('S2-45: verifyMFACode refuses a wrong code, and withMfa hands the refusal on', async () => {
      const { client } = stage.approver;
      const body = { full_name: 'Never Made', email: 'never@example.com' };
      const attempt = client.withMfa(
        (proof) => client.adminApi.createUser(body, proof),
        () => Promise.resolve('000000'),
      );
      expect(await refusalOf(attempt)).toBe('mfa.code-refused');
    });
  });
}
