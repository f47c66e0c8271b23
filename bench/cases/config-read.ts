import { randomUUID } from 'node:crypto';
import { issueServiceToken } from '../../src/services/identity/sign-in/service-token-format.ts';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { freePort } from '../../src/dev/ports.ts';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { figuresOf, interleave, meets, noiseNotes, ratioOf } from '../harness.ts';
import type { Arm, GoalResult, Plan } from '../harness.ts';
import { projectFile } from '../stack.ts';
import type { BenchStack } from '../stack.ts';

const connections = 8;
const goal = { at: 'least', limit: 0.8 } as const;

/** An application that asks whether its configuration has changed (304), to a Koa server that only compares a header. */
export async function benchConfigRead(stack: BenchStack, plan: Plan): Promise<GoalResult[]> {
  const token = await seedConfiguration(stack);
  const url = `${stack.api.url}/config/staging?instance=web-1`;
  const authorization = `Bearer ${token}`;
  const first = await fetch(url, { headers: { authorization } });
  const etag = first.headers.get('etag');
  if (etag === null) throw new Error(`The configuration is not served: ${first.status} ${await first.text()}`);
  const port = await freePort();
  const bare = await stack.start({
    name: 'bare-koa',
    command: process.execPath,
    args: [projectFile('bench/arms/bare-koa.ts')],
    env: { PATH: process.env.PATH, NODE_ENV: 'production', PORT: String(port), BENCH_ETAG: etag },
    port,
    readyPath: '/ready',
  });
  const arm = (name: string, target: string): Arm => ({
    name,
    slice: (durationMs) =>
      stack.load.run({
        url: target,
        method: 'GET',
        connections,
        durationMs,
        expectedStatus: 304,
        requests: [{ headers: { authorization, 'if-none-match': etag } }],
      }),
  });
  const slices = await interleave([arm('Castellan', url), arm('bare Koa', `${bare.url}/config`)], plan);
  await bare.stop();
  const value = ratioOf(slices, 'Castellan', 'bare Koa');
  return [
    {
      id: 'config-read',
      title: `Configuration read with If-None-Match, ${connections} connections`,
      figure: 'throughput, Castellan / bare Koa that compares the header',
      value,
      goal,
      met: meets(value, goal),
      arms: figuresOf(slices),
      notes: noiseNotes(slices, 'bare Koa'),
    },
  ];
}

/** A configuration and a token for it, by SQL: their creation is not measured. */
async function seedConfiguration(stack: BenchStack): Promise<string> {
  const id = randomUUID();
  const { token, token_hash, last4 } = issueServiceToken(defaultTenantId, id);
  await withClient(stack.adminUrl, async (admin) => {
    await admin.query(
      `insert into service_tokens (id, tenant_id, name, token_hash, last4, environment, permissions)
       values ($1, $2, 'bench', $3, $4, 'staging', '{config:read}')`,
      [id, defaultTenantId, token_hash, last4],
    );
    await admin.query(
      `with proposal as (
         insert into admin_config_proposals (tenant_id, plans, reason) values ($1, '{}', 'bench') returning tenant_id, id
       ), version as (
         insert into admin_config_versions
           (tenant_id, environment, config_version, proposal_id, position, schema, document, digest)
         select tenant_id, 'staging', 1, id, 0, '{}', '{"limit": 1}', repeat('c', 64) from proposal returning tenant_id
       )
       insert into admin_environment_configs (tenant_id, environment, stable_version, last_version, ledger_hash)
       select tenant_id, 'staging', 1, 1, repeat('0', 64) from version`,
      [defaultTenantId],
    );
  });
  return token;
}
