import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Pool } from 'pg';
import { dayFactsQuery } from '../../src/services/tracker/activity.service.ts';
import { personQuery } from '../../src/services/tracker/tracker-profile.queries.ts';
import { createWireTypes } from '../../src/platform/database/wire-types.ts';
import { recentScoresQuery } from '../../src/services/tracker/score.queries.ts';

/** The tracker's transactions without the application: its statements, `node:http` and `pg`. */
const common = { connectionString: process.env.DATABASE_URL, types: createWireTypes(), options: '-c TimeZone=UTC' };
const readPool = new Pool({ ...common, max: Number(process.env.DATABASE_READ_POOL_SIZE), pipeline: true });
const writePool = new Pool({ ...common, max: Number(process.env.DATABASE_POOL_SIZE) });

const setScope = { name: 'scope', text: "select set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true)" };
const plainAudit = `insert into bench_plain_audit
  (tenant_id, occurred_at, user_id, event, action, resource_type, resource_id, outcome, request_id, entry, private)
  values ($1, now(), $2, 'activity.create', 'create', 'activity', $3, 'success', $4, $5, $6)`;

interface Caller {
  readonly tenant: string;
  readonly user: string;
}

async function week({ tenant, user }: Caller): Promise<unknown> {
  const now = Date.now();
  const person = personQuery(user).compile();
  const scores = recentScoresQuery(user, now).compile();
  const client = await readPool.connect();
  try {
    const [, , , rows] = await Promise.all([
      client.query({ name: 'begin', text: 'begin transaction read only' }),
      client.query({ ...setScope, values: [tenant, user] }),
      client.query({ name: 'person', text: person.sql, values: [...person.parameters] }),
      client.query({ name: 'scores', text: scores.sql, values: [...scores.parameters] }),
      client.query({ name: 'commit', text: 'commit' }),
    ]);
    return { items: rows.rows.slice(0, 7) };
  } finally {
    client.release();
  }
}

async function log({ tenant, user }: Caller, request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { type, status, date } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, string>;
  const facts = dayFactsQuery({ user_id: user, day: date ?? '' }).compile();
  const client = await writePool.connect();
  try {
    await client.query({ name: 'begin', text: 'begin' });
    await client.query({ ...setScope, values: [tenant, user] });
    await client.query({ name: 'lock', text: "select pg_advisory_xact_lock(hashtextextended('tracker/' || $1, 0))", values: [user] });
    const { rows } = await client.query({
      name: 'insert',
      text: 'insert into admin_activities (tenant_id, user_id, type, status, date) values ($1, $2, $3, $4, $5) returning *',
      values: [tenant, user, type, status, date],
    });
    await client.query({ name: 'facts', text: facts.sql, values: [...facts.parameters] });
    await client.query({
      name: 'score',
      text: `insert into admin_scores (tenant_id, user_id, date, score, streak_days, activities_count) values ($1, $2, $3, 20, 1, 1)
        on conflict (user_id, date) do update set score = excluded.score, streak_days = excluded.streak_days,
        activities_count = excluded.activities_count, updated_at = now()`,
      values: [tenant, user, date],
    });
    await client.query({
      name: 'audit',
      text: plainAudit,
      values: [tenant, user, String(rows[0].id), 'bench', JSON.stringify({ user }), JSON.stringify({ new_values: rows[0] })],
    });
    await client.query({ name: 'commit', text: 'commit' });
    return rows[0];
  } finally {
    client.release();
  }
}

createServer((request, response) => {
  const caller = { tenant: String(request.headers['x-tenant']), user: String(request.headers['x-user']) };
  const work = request.url === '/ready' ? Promise.resolve({}) : request.method === 'POST' ? log(caller, request) : week(caller);
  work.then(
    (body) => {
      const text = JSON.stringify(body);
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      response.writeHead(request.method === 'POST' ? 201 : 200, headers).end(text);
    },
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      response.writeHead(500, { 'content-length': 0 }).end();
    },
  );
}).listen(Number(process.env.PORT), '127.0.0.1');
