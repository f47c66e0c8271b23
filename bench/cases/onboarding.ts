import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { defaultTenantId, systemActor } from '../../src/domain/shared/actor.ts';
import { kysely } from '../../src/entities/kysely-schema.ts';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { entities } from '../../src/entities/index.ts';
import { openDatabase } from '../../src/platform/database/database.ts';
import { createLogger } from '../../src/platform/observability/logger.ts';
import { read } from '../../src/platform/database/read.ts';
import { figuresOf, interleave, meets, noiseNotes, ratioOf, sliceOf } from '../harness.ts';
import type { Arm, GoalResult, Plan, Slice } from '../harness.ts';
import type { BenchStack } from '../stack.ts';

const linkCount = 20_000;
const connections = 8;
const goal = { at: 'least', limit: 0.9 } as const;

/**
 * Finding a link by the hash of its token, as the public routes do it (`find_onboarding_link` on the read
 * path), against the same statement sent by hand on the same pipelining pool.
 */
export async function benchOnboarding(stack: BenchStack, plan: Plan): Promise<GoalResult[]> {
  const tokens = await makeLinks(stack);
  const log = createLogger({ level: 'silent', name: 'bench' });
  const db = await openDatabase({ env: stack.env, entities, log, applicationName: 'castellan-bench' });
  const nobody = systemActor(defaultTenantId);
  let next = 0;
  const hash = () => createHash('sha256').update(tokens[(next += 1) % tokens.length] ?? '').digest();
  const ours = async (): Promise<number> => {
    const statement = sql<{ link_id: string }>`select tenant_id, link_id from find_onboarding_link(${hash()})`;
    return (await read(db, nobody, { compile: () => statement.compile(kysely) })).length;
  };
  const bare = async (): Promise<number> => {
    const client = await db.readPool.connect();
    try {
      const [, , found] = await Promise.all([
        client.query({ name: 'bare_begin', text: 'begin transaction read only' }),
        client.query({
          name: 'bare_scope',
          text: "select set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true)",
          values: [defaultTenantId, ''],
        }),
        client.query({ name: 'bare_find', text: 'select tenant_id, link_id from find_onboarding_link($1)', values: [hash()] }),
        client.query({ name: 'bare_commit', text: 'commit' }),
      ]);
      return found.rows.length;
    } finally {
      client.release();
    }
  };
  const arm = (name: string, once: () => Promise<number>): Arm => ({ name, slice: (ms) => concurrentSlice(ms, once) });
  try {
    const slices = await interleave([arm('Castellan', ours), arm('bare', bare)], plan);
    const value = ratioOf(slices, 'Castellan', 'bare');
    return [
      {
        id: 'onboarding-lookup',
        title: `Finding one of ${linkCount.toLocaleString('en')} onboarding links by its token, ${connections} at a time`,
        figure: 'throughput, Castellan / bare pipelined read of the same statement',
        value,
        goal,
        met: meets(value, goal),
        arms: figuresOf(slices),
        notes: noiseNotes(slices, 'bare'),
      },
    ];
  } finally {
    await db.close();
  }
}

async function concurrentSlice(durationMs: number, once: () => Promise<number>): Promise<Slice> {
  const latencies: number[] = [];
  const end = performance.now() + durationMs;
  const work = async () => {
    while (performance.now() < end) {
      const start = performance.now();
      if ((await once()) !== 1) throw new Error('A link was not found.');
      latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
  return sliceOf(latencies, durationMs);
}

/** Links of the default tenant, by SQL, because this is not part of what is measured. @returns their tokens. */
async function makeLinks({ adminUrl, people }: BenchStack): Promise<string[]> {
  const tokens = Array.from({ length: linkCount }, () => randomBytes(24).toString('base64url'));
  const hashes = tokens.map((token) => createHash('sha256').update(token).digest());
  await withClient(adminUrl, async (admin) => {
    await admin.query(
      `insert into onboarding_link (id, tenant_id, token_hash, token_last4, recipient_name, purpose, created_by, capabilities,
         timing, expires_at, max_expires_at, attended_at)
       select d.id, $1, d.hash, 'last', 'Bench', 'bench', $2, '{complete}', '{}', now() + interval '1 day',
         now() + interval '2 days', now() + interval '2 days'
       from unnest($3::uuid[], $4::bytea[]) as d(id, hash)`,
      [defaultTenantId, people[0]?.user_id, tokens.map(() => randomUUID()), hashes],
    );
    await admin.query('analyze onboarding_link');
  });
  return tokens;
}
