import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { createSigningKeyring } from '../../src/platform/security/access-token.ts';
import { parseKeyList } from '../../src/platform/security/keyring.ts';
import { createMfaTokens } from '../../src/platform/security/mfa-token.ts';
import type { Env } from '../../src/platform/env.ts';
import { startHostilePostgres } from '../../test/support/servers/hostile-postgres.ts';
import type { HostileMode } from '../../test/support/servers/hostile-postgres.ts';
import type { HostileCounts, HostileWord } from '../cases/guests.ts';
import type { BenchPerson } from '../seed.ts';

/** A tenant whose sources end their readers or send without end, and whose schemas take all the time that there is. */
interface Setting {
  readonly env: Env;
  readonly adminUrl: string;
  readonly url: string;
  readonly person: BenchPerson;
}

const [setting] = (await once(process, 'message')) as [Setting];
const { env, url, person } = setting;
const admin = new pg.Client({ connectionString: setting.adminUrl });
await admin.connect();
await admin.query(
  `insert into admin_role_assignments (tenant_id, user_id, role_id)
   select $1, $2, id from admin_roles where code = 'role-super-admin' and tenant_id is null on conflict do nothing`,
  [person.tenant_id, person.user_id],
);
const tokens = createMfaTokens({
  keyring: createSigningKeyring(parseKeyList(env.AUTH_SIGNING_KEYS, 'AUTH_SIGNING_KEYS')),
  issuer: env.PUBLIC_URL,
});
const server = await startHostilePostgres();

interface Answer {
  readonly status: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- bodies of every shape
  readonly body: any;
}

async function call(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${person.token}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text) };
}

/** A call with a proof of its own, as after an honest second factor. */
async function proven(method: string, path: string, body: object): Promise<Answer> {
  const asked = await call(method, path, body);
  if (asked.body?.code !== 'mfa.required') return asked;
  const { action, payload_digest } = asked.body as { action: string; payload_digest: string };
  const id = randomUUID();
  await admin.query(
    `insert into mfa_challenges (id, tenant_id, user_id, session_id, action, payload_digest, method, expires_at, verified_at, proof_expires_at)
     values ($1, $2, $3, $4, $5, $6, 'totp', now() + interval '5 minutes', now(), now() + interval '5 minutes')`,
    [id, person.tenant_id, person.user_id, person.session_id, action, payload_digest],
  );
  const { token } = await tokens.issue({ ...person, action, payload_digest }, id);
  return call(method, path, body, { 'x-mfa-token': token });
}

async function integration(mode: HostileMode): Promise<string> {
  const { host, port } = server;
  const config = { kind: 'postgres_source', host, port, database: mode, user: 'reader', tls: 'disable', table: 'things' };
  const made = await proven('POST', '/admin/integrations', { name: mode, environment: 'staging', config, secret: 'some-password' });
  if (made.status !== 201) throw new Error(`No hostile integration: ${JSON.stringify(made.body)}`);
  return made.body.id as string;
}

const counts = { syncs: 0, proposals: 0 };
let isRunning = false;
let underWay: Promise<void>[] = [];

async function syncOverAndOver(id: string): Promise<void> {
  while (isRunning) {
    const { status, body } = await call('POST', `/admin/integrations/${id}/sync`);
    if (status !== 202) throw new Error(`No sync: ${JSON.stringify(body)}`);
    for (let job = body; job.status === 'running'; ) {
      await setTimeout(500);
      job = (await call('GET', `/admin/integrations/${id}/sync-jobs/${body.id}`)).body;
    }
    counts.syncs += 1;
    // As if somebody released it each time: here it is to go on.
    await admin.query('update admin_integrations set strikes = 0, quarantined_at = null where id = $1', [id]);
  }
}

/** References that are followed 2^34 times. */
function endlessSchema(): object {
  const definitions: Record<string, object> = { d0: { type: 'string' } };
  for (let n = 1; n <= 34; n += 1) definitions[`d${n}`] = { allOf: [{ $ref: `#/$defs/d${n - 1}` }, { $ref: `#/$defs/d${n - 1}` }] };
  return { $defs: definitions, properties: { a: { $ref: '#/$defs/d34' }, b: { pattern: '^(a+)+$' } } };
}

async function proposeOverAndOver(): Promise<void> {
  const change = { environment: 'staging', base_version: null, schema: endlessSchema(), document: { a: 'x', b: `${'a'.repeat(1_000)}!` } };
  while (isRunning) {
    const { status, body } = await proven('POST', '/admin/environment-config/proposals', { changes: [change], reason: 'hostile' });
    // On a machine that is too busy the check has had no core.
    if (status !== 422 && status !== 503) throw new Error(`The proposal was not refused: ${JSON.stringify(body)}`);
    counts.proposals += 1;
  }
}

const sources = [await integration('expanding_json'), await integration('endless_rows')];
process.on('message', (word: HostileWord) => {
  void (async () => {
    if (word === 'begin' && !isRunning) {
      isRunning = true;
      underWay = [...sources.map(syncOverAndOver), proposeOverAndOver()];
    } else if (word === 'pause') {
      isRunning = false;
      await Promise.all(underWay);
      underWay = [];
    }
    process.send?.({ ...counts } satisfies HostileCounts);
  })();
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
