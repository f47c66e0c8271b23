import { Pool } from 'pg';
import { systemActor } from '../../src/domain/shared/actor.ts';
import { sealEntry } from '../../src/platform/audit/audit-append.ts';
import type { AppendJob } from '../cases/audit-append.ts';
import { sliceOf } from '../harness.ts';

/** Writers of audit entries, each on a connection of its own; both arms send the same four statements. */
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 8, options: '-c TimeZone=UTC' });

process.on('message', (job: AppendJob) => {
  run(job).then(
    (slice) => process.send?.(slice),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});

async function run({ how, tenants, durationMs }: AppendJob) {
  const latencies: number[] = [];
  const started = performance.now();
  await Promise.all(
    tenants.map(async (tenant) => {
      const client = await pool.connect();
      try {
        while (performance.now() - started < durationMs) {
          const from = performance.now();
          await client.query({ name: 'begin', text: 'begin' });
          await client.query({ name: 'scope', text: "select set_config('app.tenant_id', $1, true)", values: [tenant] });
          await client.query(how === 'chained' ? chained(tenant) : plain(tenant));
          await client.query({ name: 'commit', text: 'commit' });
          latencies.push(performance.now() - from);
        }
      } finally {
        client.release();
      }
    }),
  );
  return sliceOf(latencies, performance.now() - started);
}

/** The same entry for both, sealed alike, so that they differ in the statement alone. */
function sealed(tenant: string) {
  return sealEntry(systemActor(tenant), {
    event: 'preferences.update',
    action: 'update',
    resource_type: 'user',
    resource_id: tenant,
    new_values: { theme: 'dark' },
  });
}

function chained(tenant: string) {
  const { entry, private: privatePart } = sealed(tenant);
  return {
    name: 'chained',
    // As `auditStatement` sends it: entries as lines.
    text: 'select audit_append($1::uuid, string_to_array($2, chr(10)), string_to_array($3, chr(10)), $4)',
    values: [tenant, entry, privatePart, '[]'],
  };
}

function plain(tenant: string) {
  const { entry, private: privatePart } = sealed(tenant);
  return {
    name: 'plain',
    text: `insert into bench_plain_audit
      (tenant_id, occurred_at, event, action, resource_type, resource_id, outcome, request_id, entry, private)
      values ($1, now(), 'preferences.update', 'update', 'user', $2, 'success', 'bench', $3, $4)`,
    values: [tenant, tenant, entry, privatePart],
  };
}
