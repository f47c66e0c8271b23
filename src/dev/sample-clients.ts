import { Client } from 'pg';
import { defaultTenantId } from '../domain/shared/actor.ts';
import { pick, realisticClient, seededDraw } from './realistic-clients.ts';
import type { RealisticClient } from './realistic-clients.ts';
import { samplePeople } from './sample-data.ts';

/** Everything about the sample clients follows from it. */
const seed = 20_261_201;
const total = 300;
const companies = 15;
const deleted = 10;
const yearInMinutes = 365 * 24 * 60;
/** Nobody deletes a client in the same moment. */
const leastLifeInMinutes = 24 * 60;

/** A client of the sample data. */
export interface SampleClient extends RealisticClient {
  readonly id: string;
  readonly created_by: string;
  /** Before the moment of the seeding, so that the newest are new at the first look. */
  readonly created_minutes_ago: number;
  readonly deleted_minutes_ago: number | null;
}

/** The fixed id of the n-th sample client, from 1. */
export function sampleClientId(n: number): string {
  return `5a3b1ec1-0000-4000-8000-${String(n).padStart(12, '0')}`;
}

/** Who has made clients: all staff, the agents most. */
const creators = samplePeople
  .filter(({ role }) => role !== 'role-policyholder' && role !== 'role-support-staff')
  .map(({ id }) => id)
  .toReversed();

/**
 * The sample clients: persons and companies, ten of them deleted, and four pairs that look like the same person twice. The same
 * ones in every run and on every machine.
 */
export function sampleClients(): SampleClient[] {
  const draw = seededDraw(seed);
  const numbers = new Set<string>();
  const clients: SampleClient[] = [];
  while (clients.length < total) {
    const n = clients.length + 1;
    const client = realisticClient(draw, n % (total / companies) === 0 ? 'company' : 'person');
    const number = client.cpf ?? client.cnpj ?? '';
    if (numbers.has(number)) continue;
    numbers.add(number);
    const created_minutes_ago = leastLifeInMinutes + Math.floor((draw() * (total - n + 1) * (yearInMinutes - leastLifeInMinutes)) / total);
    clients.push({
      ...client,
      id: sampleClientId(n),
      created_by: pick(draw, creators),
      created_minutes_ago,
      deleted_minutes_ago: n % (total / deleted) === 7 ? Math.floor(created_minutes_ago * draw()) : null,
    });
  }
  return clients.map((client, index) => ({ ...client, ...lookAlikes[index + 1] }));
}

const samePhone = { phone_number: '+5520987650011' };
const sameMail = { email: 'familia.exemplo@example.com' };
const namesakeOf = (name: string, birth_date: string) => ({ name, birth_date, email: null });

/** Pairs by position: with one phone number, with one e-mail, and twice with one name and birth date, once without the accents. */
const lookAlikes: Readonly<Record<number, Partial<RealisticClient>>> = {
  11: samePhone,
  141: samePhone,
  12: sameMail,
  182: sameMail,
  13: namesakeOf('Antônio Carlos Guimarães', '1971-09-02'),
  223: namesakeOf('Antônio Carlos Guimarães', '1971-09-02'),
  14: namesakeOf('José da Conceição Leão', '1958-02-27'),
  264: namesakeOf('Jose da Conceicao Leao', '1958-02-27'),
};

/** Module permissions of the sample people: all without end, reading until soon, and reading. */
const grants = [
  { role: 'role-senior-agent', flags: [true, true, true, true], days: null },
  // Within the days in which people are told that a permission ends.
  { role: 'role-junior-agent', flags: [false, true, false, false], days: 2 },
  { role: 'role-support-staff', flags: [false, true, false, false], days: null },
] as const;

/** What the seeding needs of the environment. */
interface ClientSettings {
  readonly NODE_ENV: string;
  readonly DATABASE_URL: string;
}

/**
 * Makes the default tenant an office that keeps clients by their CPF, with 300 of them, and lets three sample people into the module.
 * It is done once: where one of these clients is, nothing is changed, so that what people change stays.
 *
 * @throws Error in production.
 */
export async function seedSampleClients(env: ClientSettings): Promise<void> {
  if (env.NODE_ENV === 'production') throw new Error('Sample data is refused in production.');
  const client = new Client({ connectionString: env.DATABASE_URL });
  await client.connect();
  try {
    await client.query('begin');
    await client.query("select set_config('app.tenant_id', $1, true)", [defaultTenantId]);
    if (await insertClients(client)) {
      await client.query(
        `update tenants set id_document_type = 'cpf', version = version + 1, updated_at = now() where id = $1 and id_document_type = 'none'`,
        [defaultTenantId],
      );
      await insertGrants(client);
    }
    await client.query('commit');
  } finally {
    await client.end();
  }
}

/** @returns whether they were not there before. */
async function insertClients(client: Client): Promise<boolean> {
  const rows = sampleClients();
  const { rowCount: known } = await client.query('select from clients where id = any($1) limit 1', [rows.map(({ id }) => id)]);
  if (known !== 0) return false;
  // A client that somebody has made with the same number stays the only one.
  const { rowCount } = await client.query(
    `insert into clients (tenant_id, id, kind, name, cpf, cnpj, birth_date, email, phone_number, address, created_by,
       created_at, updated_at, deleted_at, version)
     select $1, id, kind, name, cpf, cnpj, birth_date, email, phone_number, address, created_by, created.at,
       coalesce(deleted.at, created.at), deleted.at, case when deleted.at is null then 1 else 2 end
     from jsonb_to_recordset($2) as one (id uuid, kind text, name text, cpf text, cnpj text, birth_date date, email text,
         phone_number text, address jsonb, created_by uuid, created_minutes_ago int, deleted_minutes_ago int)
       cross join lateral (select now() - created_minutes_ago * interval '1 minute' as at) created
       cross join lateral (select now() - deleted_minutes_ago * interval '1 minute' as at) deleted
     on conflict do nothing`,
    [defaultTenantId, JSON.stringify(rows)],
  );
  return rowCount !== 0;
}

async function insertGrants(client: Client): Promise<void> {
  const [granter] = samplePeople;
  for (const { role, flags, days } of grants) {
    const holder = samplePeople.find((person) => person.role === role);
    await client.query(
      `insert into user_agent_permissions
         (tenant_id, user_id, agent_name, can_create, can_read, can_update, can_delete, granted_by, expires_at)
       values ($1, $2, 'client_management', $3, $4, $5, $6, $7, now() + $8::int * interval '1 day')
       on conflict do nothing`,
      [defaultTenantId, holder?.id, ...flags, granter?.id, days],
    );
  }
}
