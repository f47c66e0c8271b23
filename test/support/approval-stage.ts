import { startWorker } from '../../src/worker.ts';
import { startTestApi } from './api.ts';
import type { SignedIn, TestApi } from './api.ts';
import { approvalDriver } from './drivers/approval.ts';
import type { ApprovalDriver } from './drivers/approval.ts';
import { quietTemporal, workflowBundlePath } from './temporal/temporal.ts';

/** API and worker on a database of their own, with the administrators of the sample data, who are apart, signed in. */
export interface ApprovalStage {
  readonly app: TestApi;
  readonly admin: SignedIn;
  readonly second: SignedIn;
  readonly provider: SignedIn;
  /** Of `admin`. */
  readonly drive: ApprovalDriver;
  close(): Promise<void>;
}

/** Starts one. Close it in `afterAll`. */
export async function startApprovalStage(overrides: NodeJS.ProcessEnv = {}): Promise<ApprovalStage> {
  await quietTemporal();
  const app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath(), ...overrides });
  const worker = await startWorker(app.env, app.api.deps.log);
  const admin = await app.signIn('role-super-admin');
  const second = await app.signIn('role-super-admin', 1);
  const provider = await app.signIn('role-provider-admin');
  return {
    app,
    admin,
    second,
    provider,
    drive: approvalDriver(app, admin),
    close: async () => {
      await worker.close();
      await app.close();
    },
  };
}
