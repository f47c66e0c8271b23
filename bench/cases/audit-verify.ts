import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { systemActor } from '../../src/domain/shared/actor.ts';
import { sealEntry } from '../../src/platform/audit/audit-append.ts';
import { meets, spreadOf } from '../harness.ts';
import type { GoalResult } from '../harness.ts';
import type { BenchStack } from '../stack.ts';

const rows = 1_000_000;
const batchSize = 2_000;
const timeGoal = { at: 'most', limit: 10_000 } as const;
const memoryGoal = { at: 'most', limit: 150 } as const;
const runs = 3;

/** The result of the verifying process. */
export interface VerifyAnswer {
  readonly intact: boolean;
  readonly size: number;
  readonly durationMs: number;
  /** Processor time of the verifying process itself. */
  readonly cpuMs: number;
  readonly maxRssMb: number;
}

/** Verifies a chain of a million entries, each time in a process of its own. */
export async function benchAuditVerify(stack: BenchStack): Promise<GoalResult[]> {
  // A separate tenant: the chains of the other cases already have entries.
  const chainId = stack.people.at(-1)?.tenant_id ?? '';
  const size = await fill(stack.env.DATABASE_URL, chainId);
  const answers: VerifyAnswer[] = [];
  for (let run = 0; run < runs; run += 1) answers.push(await verify(stack.env.DATABASE_URL, chainId));
  const isIntact = answers.every((answer) => answer.intact && answer.size === size);
  const duration = spreadOf(answers.map(({ durationMs }) => durationMs));
  const memory = spreadOf(answers.map(({ maxRssMb }) => maxRssMb));
  const cpu = spreadOf(answers.map(({ cpuMs }) => cpuMs));
  const shared = {
    arms: {
      chain: `${size} entries, ${isIntact ? 'intact' : 'DAMAGED'}`,
      'verifying process': `${cpu.median.toFixed(0)} ms of processor time (${cpu.min.toFixed(0)}–${cpu.max.toFixed(0)})`,
    },
    notes: [],
  };
  return [
    {
      ...shared,
      id: 'audit-verify-time',
      title: 'Verification of a chain of a million entries',
      figure: 'ms',
      value: duration,
      goal: timeGoal,
      met: isIntact && meets(duration, timeGoal),
    },
    {
      ...shared,
      id: 'audit-verify-memory',
      title: 'Memory of that verification',
      figure: 'MB resident at most, with Node itself',
      value: memory,
      goal: memoryGoal,
      met: meets(memory, memoryGoal),
    },
  ];
}

async function fill(url: string, chainId: string): Promise<number> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query("select set_config('app.tenant_id', $1, false)", [chainId]);
    const actor = systemActor(chainId);
    let size = 0;
    while (size < rows) {
      const sealed = Array.from({ length: batchSize }, (_, place) =>
        sealEntry(actor, {
          event: 'preferences.update',
          action: 'update',
          resource_type: 'user',
          resource_id: chainId,
          new_values: { theme: 'dark', place },
        }),
      );
      const { rows: answer } = await client.query<{ size: string }>(
        'select audit_append($1::uuid, $2::text[], $3::text[], $4) as size',
        [chainId, sealed.map(({ entry }) => entry), sealed.map((one) => one.private), '[]'],
      );
      size = Number(answer[0]?.size ?? rows);
    }
    return size;
  } finally {
    await client.end();
  }
}

function verify(url: string, chainId: string): Promise<VerifyAnswer> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('../arms/verify-chain.ts', import.meta.url)), [chainId], {
      stdio: 'inherit',
      env: { PATH: process.env.PATH, DATABASE_URL: url },
    });
    child.once('message', (answer: VerifyAnswer) => resolve(answer));
    child.once('exit', () => reject(new Error('The verifying process ended without an answer.')));
  });
}
