import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from 'pg';
import type { ApiDeps } from '../../src/api/deps.ts';
import { createApiDeps, createApiServer } from '../../src/api/server.ts';
import { seedSampleData } from '../../src/dev/sample-data.ts';
import type { SystemRoleCode } from '../../src/domain/identity/system-roles.ts';
import { createLogger } from '../../src/platform/observability/logger.ts';
import { totpCodeOfStep, totpPeriodSeconds, totpStepAt } from '../../src/platform/security/totp.ts';
import type { Answer, CallOptions, SignedIn } from './api.ts';
import { callApi, signInSample, testEnv } from './api.ts';
import { createTestDatabase } from './database.ts';

/** Two API processes' worth of the real application on one database, with a clock that the test moves. */
export interface ClockedApis {
  /** As superuser, to look behind every policy. */
  readonly admin: Client;
  readonly deps: ApiDeps;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** The same request to the other process. */
  callOther(method: string, path: string, options?: CallOptions): Promise<Answer>;
  signIn(role: SystemRoleCode, index?: number): Promise<SignedIn>;
  /** The person's code now, or some steps away. */
  code(person: SignedIn, stepsAway?: number): string;
  /** Moves to the next time step of TOTP: the code that was used is over. */
  nextStep(): void;
  /** Takes a sample person's authenticator app away, as if he had never enrolled. */
  withoutApp(person: SignedIn): Promise<void>;
  close(): Promise<void>;
}

/** Starts both on a database of their own with sample data. Close it in `afterAll`. */
export async function startClockedApis(overrides: NodeJS.ProcessEnv = {}): Promise<ClockedApis> {
  const database = await createTestDatabase();
  const env = testEnv(database, overrides);
  await seedSampleData(env);
  const log = createLogger({ level: env.LOG_LEVEL, name: 'test' });
  let nowMs = Date.now();
  const start = async () => {
    const deps = await createApiDeps(env, log, () => nowMs);
    const server = createApiServer(deps);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return { deps, server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  const [first, second] = [await start(), await start()];
  const admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  return {
    admin,
    deps: first.deps,
    call: (method, path, options) => callApi(first.url, method, path, options),
    callOther: (method, path, options) => callApi(second.url, method, path, options),
    signIn: (role, index) => signInSample(first.url, role, index),
    code: (person, stepsAway = 0) => totpCodeOfStep(person.totp_secret, totpStepAt(nowMs) + stepsAway),
    nextStep: () => {
      nowMs += totpPeriodSeconds * 1_000;
    },
    withoutApp: async ({ user_id }) => {
      await admin.query('delete from mfa_factors where user_id = $1', [user_id]);
    },
    close: async () => {
      await admin.end();
      for (const { deps, server } of [first, second]) await stop(deps, server);
      await database.drop();
    },
  };
}

async function stop(deps: ApiDeps, server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await Promise.allSettled([deps.temporal.close(), deps.outbound.close(), deps.externalIssuers.close()]);
  await deps.db.close();
}
