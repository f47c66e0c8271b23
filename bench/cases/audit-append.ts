import { fileURLToPath } from 'node:url';
import { fork } from 'node:child_process';
import { figuresOf, interleave, meets, noiseNotes, ratioOf } from '../harness.ts';
import type { Arm, GoalResult, Plan, Slice } from '../harness.ts';
import type { BenchStack } from '../stack.ts';

const goal = { at: 'least', limit: 0.65 } as const;

/** The job of the process of the writers. */
export interface AppendJob {
  readonly how: 'chained' | 'plain';
  /** One writer for each entry. */
  readonly tenants: readonly string[];
  readonly durationMs: number;
}

/** Transactions that only append one audit entry: into the chains, and by a plain insert. */
export async function benchAuditAppend(stack: BenchStack, plan: Plan): Promise<GoalResult[]> {
  const child = fork(fileURLToPath(new URL('../arms/audit-writers.ts', import.meta.url)), {
    stdio: 'inherit',
    env: { PATH: process.env.PATH, DATABASE_URL: stack.env.DATABASE_URL },
  });
  const run = (job: AppendJob) =>
    new Promise<Slice>((resolve, reject) => {
      const onExit = () => reject(new Error('The process of the audit writers has ended.'));
      child.once('exit', onExit);
      child.once('message', (slice: Slice) => {
        child.off('exit', onExit);
        resolve(slice);
      });
      child.send(job);
    });
  const arm = (name: string, how: AppendJob['how'], tenants: readonly string[]): Arm => ({
    name,
    slice: (durationMs) => run({ how, tenants, durationMs }),
  });
  const eight = stack.people.map(({ tenant_id }) => tenant_id);
  const one = eight.map(() => eight[0] ?? '');
  const slices = await interleave(
    [
      arm('chained, 8 tenants', 'chained', eight),
      arm('plain, 8 tenants', 'plain', eight),
      arm('chained, 1 tenant', 'chained', one),
    ],
    plan,
  );
  child.kill();
  const value = ratioOf(slices, 'chained, 8 tenants', 'plain, 8 tenants');
  const shared = { arms: figuresOf(slices), notes: noiseNotes(slices, 'plain, 8 tenants') };
  return [
    {
      ...shared,
      id: 'audit-append',
      title: 'Audit append, 8 writers over 8 tenants',
      figure: 'throughput, chained / plain insert, same commit mode',
      value,
      goal,
      met: meets(value, goal),
    },
    {
      ...shared,
      id: 'audit-append-one-tenant',
      title: 'Audit append, 8 writers into one chain',
      figure: 'throughput, chained / plain insert over 8 tenants',
      value: ratioOf(slices, 'chained, 1 tenant', 'plain, 8 tenants'),
      goal: null,
      met: true,
    },
  ];
}
