import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { insertDeployment } from '../../../src/services/config/config-deployment.service.ts';
import { checkProposal } from '../../../src/services/config/config-proposal-check.service.ts';
import { writeProposal } from '../../../src/services/config/config-proposal.service.ts';
import type { DeploymentRow } from '../../../src/services/config/config-deployment.repository.ts';
import { beginDeployment, stepDeployment } from '../../../src/services/config/config-rollout.service.ts';
import { defaultTenantId, systemActor } from '../../../src/domain/shared/actor.ts';
import type { Actor } from '../../../src/domain/shared/actor.ts';
import { isRolloutClosed, rolloutTransitions } from '../../../src/domain/config/config-rollout.ts';
import type { RolloutPlan } from '../../../src/domain/config/config-rollout.ts';
import type { EnvironmentName } from '../../../src/domain/shared/environment.ts';
import { kysely } from '../../../src/entities/kysely-schema.ts';
import { Problem } from '../../../src/platform/problem.ts';
import { read } from '../../../src/platform/database/read.ts';
import { unitOfWork } from '../../../src/platform/database/unit-of-work.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { configDriver } from '../../support/drivers/config.ts';
import type { ConfigDriver } from '../../support/drivers/config.ts';

const environment: EnvironmentName = 'staging';
const actor: Actor = systemActor(defaultTenantId);
const plan: RolloutPlan = {
  strategy: { kind: 'linear', step_percentage: 40, bake_seconds: 0 },
  guards: [],
  check_interval_seconds: 30,
  dry_run: false,
};

let app: TestApi;
let admin: SignedIn;
let drive: ConfigDriver;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  drive = configDriver(app, admin);
});

afterAll(() => app.close());

const work = <Result>(run: Parameters<typeof unitOfWork<Result>>[2]) => unitOfWork(app.api.deps.db, actor, run);

interface Slot {
  readonly stable_version: number | null;
  readonly candidate_version: number | null;
  readonly candidate_percentage: number;
}

async function slot(): Promise<Slot> {
  const [row] = await read(
    app.api.deps.db,
    actor,
    kysely
      .selectFrom('admin_environment_configs')
      .where('environment', '=', environment)
      .select(['stable_version', 'candidate_version', 'candidate_percentage']),
  );
  return row ?? { stable_version: null, candidate_version: null, candidate_percentage: 0 };
}

async function stored(id: string) {
  const [row] = await read(
    app.api.deps.db,
    actor,
    kysely.selectFrom('admin_deployments').where('id', '=', id).select(['status', 'candidate_percentage']),
  );
  if (row === undefined) throw new Error('There is no such deployment.');
  return row;
}

/** A new version over the one that runs, and its deployment, as `config.apply` records it. */
async function deployment(limit: number): Promise<{ id: string; version: number; previous: number | null }> {
  const { stable_version: base_version } = await slot();
  const change = { environment, base_version, document: { limit }, plan };
  const checked = await checkProposal(app.api.deps, actor, [change]);
  return work(async (tx) => {
    const proposal = { id: crypto.randomUUID(), changes: [change], reason: 'model' };
    const { proposal_id, changes } = await writeProposal(tx, app.api.deps.keyring, proposal, checked);
    const [{ version, digest } = { version: 0, digest: '' }] = changes;
    const place = { environment, kind: 'rollout', batch_id: crypto.randomUUID(), position: 0, proposal_id } as const;
    const what = { config_version: version, previous_version: base_version, digest, plan, reason: 'model' };
    return { id: await insertDeployment(tx, { ...place, ...what }, { kind: 'mfa' }), version, previous: base_version };
  });
}

/** A run of a rollout, with the state that it knows. */
interface Run {
  readonly id: string;
  row: DeploymentRow;
}

const act = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('say' as const), command: fc.constantFrom(...rolloutTransitions), run: fc.nat(3) }) },
  // Killed between commit and answer: the activity runs once more.
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('repeat' as const), run: fc.nat(3) }) },
  // Killed for good: another run takes over, the old one may still be alive somewhere.
  { weight: 1, arbitrary: fc.constant({ kind: 'take-over' as const }) },
);

const expected = new Set(['rollout.fenced', 'rollout.closed', 'rollout.not-possible']);

describe('rollouts in the database', () => {
  it('always serve a complete and correct document, whatever guards say and whichever process is killed', async () => {
    let limit = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 12 }), async (acts) => {
        limit += 1;
        const { id, version, previous } = await deployment(limit);
        const runs: Run[] = [];
        let last: (() => Promise<DeploymentRow>) | null = null;
        const takeOver = async () => {
          const run_id = `run-${limit}-${runs.length}`;
          runs.push({ id: run_id, row: await work((tx) => beginDeployment(tx, id, run_id)) });
        };
        await takeOver();
        for (const one of acts) {
          if (one.kind === 'take-over') await takeOver();
          const run = one.kind === 'take-over' ? undefined : runs[one.run % runs.length];
          if (run === undefined) continue;
          if (one.kind === 'say') {
            const { fence, step } = run.row;
            const { command } = one;
            last = () => work((tx) => stepDeployment(tx, { deployment_id: id, fence, step, command, evidence: {} }));
          }
          const before = await slot();
          const isCurrent = run === runs.at(-1);
          try {
            const row: DeploymentRow = (await last?.()) ?? run.row;
            if (one.kind === 'say') expect(isCurrent).toBe(true);
            if (isCurrent) run.row = row;
          } catch (error) {
            if (!(error instanceof Problem && expected.has(error.code))) throw error;
            expect(await slot()).toEqual(before);
          }
          const now = await slot();
          const row = await stored(id);
          expect(now.stable_version).toBe(row.status === 'succeeded' ? version : previous);
          const isServed = !isRolloutClosed(row.status) && row.candidate_percentage > 0;
          expect(now.candidate_version).toBe(isServed ? version : null);
          expect(now.candidate_percentage).toBe(isServed ? row.candidate_percentage : 0);
        }
        // The next run ends what is still open, so that the next round begins on firm ground.
        await takeOver();
        const { row } = runs.at(-1) ?? runs[0] ?? { row: null };
        if (row !== null && !isRolloutClosed(row.status)) {
          const { fence, step } = row;
          await work((tx) => stepDeployment(tx, { deployment_id: id, fence, step, command: 'restore', evidence: {} }));
          expect(await slot()).toMatchObject({ stable_version: previous, candidate_version: null });
        }
      }),
      { numRuns: 25 },
    );
    expect(await drive.isIntact(environment)).toBe(true);
  });
});
