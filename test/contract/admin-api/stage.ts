import { createCastellanClient, ProblemError } from '../../../src/sdk/index.ts';
import type { AdminApi, CastellanClient } from '../../../src/sdk/index.ts';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { postgresApplication } from '../../support/servers/bullmq.ts';
import type { BullmqApplication } from '../../support/servers/bullmq.ts';
import { KeyService } from '../../support/fakes/key-service.ts';
import { startOwnTemporal } from '../../support/temporal/own-temporal.ts';
import type { OwnTemporal } from '../../support/temporal/own-temporal.ts';
import { runProven } from '../../support/second-factor.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { keepExchanges } from './examples.ts';

/** A person with the client that acts for him. */
export interface Caller {
  readonly person: SignedIn;
  readonly client: CastellanClient;
}

/** Functions that were called and what came of it. */
interface CallRecord {
  readonly succeeded: Set<string>;
  /** By a rule other than the missing factor, which every gated call meets first. */
  readonly refused: Set<string>;
}

/** The running stack that the cases share: application, worker, a key service, a company's queues, three people. */
class Stage {
  readonly record: CallRecord = { succeeded: new Set(), refused: new Set() };
  #parts: Parts | undefined;

  async open(): Promise<void> {
    const service = await KeyService.start();
    const temporal = await startOwnTemporal();
    const app = await startTestApi({
      TEMPORAL_ADDRESS: temporal.address,
      OUTBOUND_ALLOW: service.host,
      WORKFLOW_BUNDLE: workflowBundlePath(),
    });
    const worker = await startWorker(app.env, createLogger({ level: 'silent', name: 'test' }));
    const company = postgresApplication(app.env.DATABASE_OWNER_URL ?? '');
    const callerOf = (role: Parameters<TestApi['signIn']>[0], index = 0) => this.#callerOf(app, role, index);
    const [admin, approver, agent] = await Promise.all([
      callerOf('role-super-admin'),
      callerOf('role-super-admin', 1),
      callerOf('role-junior-agent'),
    ]);
    this.#parts = { temporal, app, worker, service, company, admin, approver, agent };
  }

  async close(): Promise<void> {
    const { temporal, app, worker, service, company } = this.#opened();
    await company.close();
    await worker.close();
    await app.close();
    await temporal.stop();
    await service.stop();
  }

  get app(): TestApi {
    return this.#opened().app;
  }

  get service(): KeyService {
    return this.#opened().service;
  }

  get company(): BullmqApplication {
    return this.#opened().company;
  }

  /** May everything. */
  get admin(): Caller {
    return this.#opened().admin;
  }

  /** Another one who may everything. */
  get approver(): Caller {
    return this.#opened().approver;
  }

  /** May next to nothing. */
  get agent(): Caller {
    return this.#opened().agent;
  }

  /** Somebody else. */
  callerOf(role: Parameters<TestApi['signIn']>[0], index = 0): Promise<Caller> {
    return this.#callerOf(this.app, role, index);
  }

  async #callerOf(app: TestApi, role: Parameters<TestApi['signIn']>[0], index: number): Promise<Caller> {
    const person = await app.signIn(role, index);
    const tokens = { access_token: person.token, refresh_token: person.refresh_token };
    const client = createCastellanClient({ baseUrl: app.url, tokens });
    keepExchanges(client);
    return { person, client: { ...client, adminApi: recording(client.adminApi, this.record) } };
  }

  #opened(): Parts {
    if (this.#parts === undefined) throw new Error('The stage is opened by the test file.');
    return this.#parts;
  }
}

interface Parts {
  readonly temporal: OwnTemporal;
  readonly app: TestApi;
  readonly worker: RunningWorker;
  readonly service: KeyService;
  readonly company: BullmqApplication;
  readonly admin: Caller;
  readonly approver: Caller;
  readonly agent: Caller;
}

export const stage = new Stage();

/** Nobody's id. */
export const nobody = '00000000-0000-4000-8000-000000000000';

/** Writes down what comes of every call. */
function recording(api: AdminApi, record: CallRecord): AdminApi {
  return new Proxy(api, {
    get: (target, name, receiver) => {
      const member: unknown = Reflect.get(target, name, receiver);
      if (typeof member !== 'function' || typeof name !== 'string') return member;
      return async (...args: unknown[]) => {
        try {
          const result: unknown = await Reflect.apply(member, target, args);
          record.succeeded.add(name);
          return result;
        } catch (error) {
          if (error instanceof ProblemError && error.code !== 'mfa.required') record.refused.add(name);
          throw error;
        }
      };
    },
  });
}

/** Runs a gated operation as a caller, with a proof of the second factor. */
export function proven<Result>({ person }: Caller, operation: (proof: { mfaToken?: string }) => Promise<Result>): Promise<Result> {
  return runProven(stage.app, person, operation);
}

/** The code of the problem that a call is refused with. */
export async function refusalOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => new Error('It was not refused.'),
    (reason: unknown) => reason,
  );
  if (error instanceof ProblemError) return error.code;
  throw error;
}
