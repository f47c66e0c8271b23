/* eslint-disable jest/no-export -- cases of one test file, which runs them on one stack */
import { describe, expect, it } from '@jest/globals';
import { sampleFlagKey } from '../../../src/dev/sample-data.ts';
import { eventually } from '../../support/eventually.ts';
import { proven, refusalOf, stage } from './stage.ts';

/** Flags and approvals (S2-14..16, S2-39..43). */
export function changeCases(): void {
  describe('flags and approvals in the typed client (S2-14..16, S2-39..43)', () => {
    it('S2-14: getFeatureFlags lists the flags of an environment', async () => {
      const { items } = await stage.admin.client.adminApi.getFeatureFlags({ environment: 'production' });
      expect(items.map(({ key }) => key)).toContain(sampleFlagKey);
      expect(await refusalOf(stage.admin.client.adminApi.getFeatureFlags({ cursor: 'x' }))).toBe('request.cursor-invalid');
    });

    it('S2-15, S2-16: toggleFeatureFlag switches at once outside production and appends to the history', async () => {
      const flag = await flagIn('staging');
      const toggle = () =>
        proven(stage.admin, (proof) =>
          stage.admin.client.adminApi.toggleFeatureFlag(
            sampleFlagKey,
            { environment: 'staging', enabled: true, version: flag.version },
            proof,
          ),
        );
      expect(await toggle()).toMatchObject({ kind: 'done', result: { enabled: true, version: flag.version + 1 } });
      const { items } = await stage.admin.client.adminApi.getFeatureFlagHistory(sampleFlagKey, { environment: 'staging' });
      expect(items[0]).toMatchObject({ change: 'toggled', version: flag.version + 1 });
      expect(await refusalOf(toggle())).toMatch(/version|conflict|stale/);
      expect(await refusalOf(stage.agent.client.adminApi.getFeatureFlagHistory(sampleFlagKey))).toBe('auth.forbidden');
    });

    it('S2-15, S2-41, S2-43, S2-60: in production it waits for approveRequest, is executed and recorded', async () => {
      const flag = await flagIn('production');
      const asked = await proven(stage.admin, (proof) =>
        stage.admin.client.adminApi.toggleFeatureFlag(
          sampleFlagKey,
          { environment: 'production', enabled: true, version: flag.version, reason: 'launch' },
          proof,
        ),
      );
      if (asked.kind !== 'approval_requested') throw new Error('It was not put up for approval.');
      const { id, digest } = asked.approval;
      const own = proven(stage.admin, (proof) => stage.admin.client.adminApi.approveRequest(id, { digest }, proof));
      expect(await refusalOf(own)).toBe('approval.own-request');
      const approved = await proven(stage.approver, (proof) => stage.approver.client.adminApi.approveRequest(id, { digest }, proof));
      expect(approved.id).toBe(id);
      await eventually(
        () => stage.admin.client.adminApi.getFeatureFlags({ environment: 'production' }),
        ({ items }) => items.some(({ key, enabled }) => key === sampleFlagKey && enabled),
      );
      const { items } = await stage.admin.client.adminApi.getApprovalHistory({ approval_id: id });
      expect(items.map(({ to_status }) => to_status)).toEqual(expect.arrayContaining(['pending', 'approved', 'executed']));
      expect(await refusalOf(stage.agent.client.adminApi.getApprovalHistory())).toBe('auth.forbidden');
    });

    it('S2-39, S2-40, S2-42: createApprovalRequest opens, getApprovalRequests lists, rejectRequest closes', async () => {
      const flag = await flagIn('production');
      const payload = { key: sampleFlagKey, environment: 'production', enabled: false, version: flag.version, reason: null };
      const opened = await proven(stage.admin, (proof) =>
        stage.admin.client.adminApi.createApprovalRequest({ action: 'flag.toggle', payload, reason: 'back' }, proof),
      );
      const { items } = await stage.approver.client.adminApi.getApprovalRequests({ status: 'pending' });
      expect(items.map(({ id }) => id)).toContain(opened.id);
      const reject = () =>
        proven(stage.approver, (proof) =>
          stage.approver.client.adminApi.rejectRequest(opened.id, { digest: opened.digest, reason: 'not now' }, proof),
        );
      expect(await reject()).toMatchObject({ status: 'rejected' });
      expect(await refusalOf(reject())).toBe('approval.closed');
      const unknown = proven(stage.admin, (proof) =>
        stage.admin.client.adminApi.createApprovalRequest({ action: 'no.such', payload: {} }, proof),
      );
      expect(await refusalOf(unknown)).toBe('request.invalid');
      expect(await refusalOf(stage.agent.client.adminApi.getApprovalRequests())).toBe('auth.forbidden');
    });

    async function flagIn(environment: 'staging' | 'production') {
      const { items } = await stage.admin.client.adminApi.getFeatureFlags({ environment });
      const flag = items.find(({ key }) => key === sampleFlagKey);
      if (flag === undefined) throw new Error('The sample flag is missing.');
      return flag;
    }
  });
}
