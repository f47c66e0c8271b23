import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Pool } from 'pg';
import { createWireTypes } from '../../src/platform/database/wire-types.ts';
import { bareList } from './bare-statements.ts';

/**
 * The baseline: `node:http` and `pg`, no framework, no check of the token, no validation. The
 * same statements in the same transaction on the same number of connections as the application.
 */
const tenantId = process.env.BENCH_TENANT_ID ?? '';
const common = { connectionString: process.env.DATABASE_URL, types: createWireTypes(), options: '-c TimeZone=UTC' };
const readPool = new Pool({ ...common, max: Number(process.env.DATABASE_READ_POOL_SIZE), pipeline: true });
const writePool = new Pool({ ...common, max: Number(process.env.DATABASE_POOL_SIZE) });

const setScope = { name: 'scope', text: "select set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true)" };

async function list(): Promise<unknown> {
  const client = await readPool.connect();
  try {
    const [, , rows] = await Promise.all([
      client.query({ name: 'begin', text: 'begin transaction read only' }),
      client.query({ ...setScope, values: [tenantId, ''] }),
      client.query({ name: 'list', text: bareList.sql, values: [...bareList.parameters] }),
      client.query({ name: 'commit', text: 'commit' }),
    ]);
    return { items: rows.rows.slice(0, 20), next_cursor: null };
  } finally {
    client.release();
  }
}

const upsert = `insert into user_preferences (tenant_id, user_id, theme) values ($1, $2, $3)
  on conflict (tenant_id, user_id) do update set theme = excluded.theme, updated_at = now(),
    version = user_preferences.version + 1
  returning language, theme, week_start, email_notifications`;

const plainAudit = `insert into bench_plain_audit
  (tenant_id, occurred_at, user_id, event, action, resource_type, resource_id, outcome, request_id, entry, private)
  values ($1, now(), $2, 'preferences.update', 'update', 'user', $3, 'success', $4, $5, $6)`;

async function write(request: IncomingMessage): Promise<unknown> {
  const { theme } = JSON.parse(await textOf(request)) as { theme: string };
  const [tenant, user] = [String(request.headers['x-tenant']), String(request.headers['x-user'])];
  const client = await writePool.connect();
  try {
    await client.query({ name: 'begin', text: 'begin' });
    await client.query({ ...setScope, values: [tenant, user] });
    const { rows } = await client.query({ name: 'upsert', text: upsert, values: [tenant, user, theme] });
    await client.query({
      name: 'audit',
      text: plainAudit,
      values: [tenant, user, user, 'bench', JSON.stringify({ user }), JSON.stringify({ new_values: { theme } })],
    });
    await client.query({ name: 'commit', text: 'commit' });
    return { ...rows[0], time_zone: null };
  } finally {
    client.release();
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function answer(response: ServerResponse, work: Promise<unknown>): void {
  work.then(
    (body) => {
      const text = JSON.stringify(body);
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
      response.end(text);
    },
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      response.writeHead(500, { 'content-length': 0 }).end();
    },
  );
}

createServer((request, response) => {
  if (request.url === '/ready') answer(response, Promise.resolve({}));
  else if (request.method === 'PUT') answer(response, write(request));
  else answer(response, list());
}).listen(Number(process.env.PORT), '127.0.0.1');
