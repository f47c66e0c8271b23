import type { Env } from '../../src/platform/env.ts';
import { startWorker } from '../../src/worker.ts';
import { startTestApi } from './api.ts';
import type { SignedIn, TestApi } from './api.ts';
import { integrationDriver } from './drivers/integration.ts';
import { KeyService } from './fakes/key-service.ts';

/** The application and a worker, with a remote service that they may reach. */
export interface IntegrationStack {
  readonly app: TestApi;
  readonly service: KeyService;
  readonly admin: SignedIn;
  /** Acts as the admin. */
  readonly drive: ReturnType<typeof integrationDriver>;
  /** Stops the worker and starts one with other settings. */
  restartWorker(changes: Partial<Env>): Promise<void>;
  close(): Promise<void>;
}

export async function startIntegrationStack(): Promise<IntegrationStack> {
  const service = await KeyService.start();
  const app = await startTestApi({ OUTBOUND_ALLOW: service.host });
  let worker = await startWorker(app.env);
  const admin = await app.signIn('role-super-admin');
  return {
    app,
    service,
    admin,
    drive: integrationDriver(app, admin),
    restartWorker: async (changes) => {
      await worker.close();
      worker = await startWorker({ ...app.env, ...changes });
    },
    close: async () => {
      await worker.close();
      await app.close();
      await service.stop();
    },
  };
}
