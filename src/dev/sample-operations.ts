import { Queue, UnrecoverableError, Worker, createPostgresBackend } from 'bullmq';
import { Client, Pool } from 'pg';
import { payloadDigest } from '../platform/security/digest.ts';
import { defaultTenantId } from '../domain/shared/actor.ts';
import { createKeyring, parseKeyList } from '../platform/security/keyring.ts';
import { bullmqSchema } from '../services/queue/bullmq-schema.ts';
import { generateWebhookSecret } from '../platform/outbound/webhook.ts';
import { samplePeople } from './sample-data.ts';

/** What {@link seedSampleOperations} needs of the environment. */
interface OperationsSettings {
  readonly NODE_ENV: string;
  readonly DATABASE_URL: string;
  readonly DATABASE_OWNER_URL?: string | undefined;
  readonly QUEUE_DATABASE_URL?: string | undefined;
  readonly REDIS_URL?: string | undefined;
  readonly ENCRYPTION_KEYS: string;
  readonly TEMPORAL_TASK_QUEUE: string;
}

const [creator] = samplePeople;

/** The queue of the sample application; its name in BullMQ and on the list. */
export const sampleQueueName = 'sample-mail';

/** Jobs that the sample application's worker could not do: two classes of errors for a bulk retry. */
const failedJobs = [
  { id: 'sample-welcome-17', to: 'meera.iyer@example.com', error: 'SMTP 451: mailbox 17 is busy' },
  { id: 'sample-welcome-23', to: 'arjun.das@example.com', error: 'SMTP 451: mailbox 23 is busy' },
  { id: 'sample-welcome-31', to: 'nobody@example.invalid', error: 'getaddrinfo ENOTFOUND example.invalid' },
];
const waitingJobs = [
  { id: 'sample-renewal-1', to: 'priya.nair@example.com' },
  { id: 'sample-renewal-2', to: 'rohan.mehta@example.com' },
];

/** Sources that send by themselves: of all kinds the ones that make sense without a network. */
const integrations = [
  {
    name: 'Payment events',
    environment: 'production',
    records: [
      { id: 'pay_1001', policy: 'POL-2041', amount: 129_900, currency: 'INR', status: 'captured' },
      { id: 'pay_1002', policy: 'POL-2077', amount: 54_000, currency: 'INR', status: 'refunded' },
    ],
  },
  {
    name: 'Website leads',
    environment: 'staging',
    records: [{ id: 'lead_88', name: 'Kavya Menon', product: 'Term life', city: 'Kochi' }],
  },
] as const;

/**
 * Puts a queue with waiting and failed jobs, the task queue and two integrations there, so that their lists are not
 * empty at the first look. What exists, or existed and was removed, is left alone. An engine that the person
 * brought (`REDIS_URL`, `QUEUE_DATABASE_URL`) gets no jobs of ours.
 *
 * @throws Error in production.
 */
export async function seedSampleOperations(env: OperationsSettings): Promise<void> {
  if (env.NODE_ENV === 'production') throw new Error('Sample data is refused in production.');
  const client = new Client({ connectionString: env.DATABASE_URL });
  await client.connect();
  try {
    const { DATABASE_OWNER_URL: ownerUrl } = env;
    const isOwnEngine = env.REDIS_URL === undefined && env.QUEUE_DATABASE_URL === undefined;
    // Jobs first: a start that is killed in between repeats them, and a job of a known id is not added again.
    if (isOwnEngine && ownerUrl !== undefined && (await isUnknownQueue(client, 'bullmq', sampleQueueName))) {
      await addSampleJobs(ownerUrl);
      await registerQueue(client, 'bullmq', sampleQueueName, 'Mails of the sample application; nobody works on it');
    }
    if (await isUnknownQueue(client, 'temporal', env.TEMPORAL_TASK_QUEUE)) {
      await registerQueue(client, 'temporal', env.TEMPORAL_TASK_QUEUE, 'The workflows of this installation', 'workflows');
    }
    for (const integration of integrations) await addIntegration(client, env.ENCRYPTION_KEYS, integration);
  } finally {
    await client.end();
  }
}

/** Runs `work` in one transaction as the application does, inside the default tenant. */
async function inTenant<Result>(client: Client, work: () => Promise<Result>): Promise<Result> {
  await client.query('begin');
  await client.query("select set_config('app.tenant_id', $1, true)", [defaultTenantId]);
  const result = await work();
  await client.query('commit');
  return result;
}

/** True when the queue is not on the list and never was. */
async function isUnknownQueue(client: Client, provider: 'bullmq' | 'temporal', source: string): Promise<boolean> {
  const known = 'select from admin_queues where provider = $1 and source_name = $2';
  return inTenant(client, async () => (await client.query(known, [provider, source])).rowCount === 0);
}

async function registerQueue(
  client: Client,
  provider: 'bullmq' | 'temporal',
  source: string,
  description: string,
  name = source,
): Promise<void> {
  await inTenant(client, () =>
    client.query(
      `insert into admin_queues (tenant_id, name, provider, source_name, environment, description, created_by)
       values ($1, $2, $3, $4, 'development', $5, $6) on conflict do nothing`,
      [defaultTenantId, name, provider, source, description, creator?.id],
    ),
  );
}

/** Adds the jobs as an application does, and fails some as its worker would. Nothing stays behind that works on them. */
async function addSampleJobs(ownerUrl: string): Promise<void> {
  // As the owner: an application needs CREATE on the schema, which ours has not.
  const pool = new Pool({ connectionString: ownerUrl, max: 2, options: `-c search_path=${bullmqSchema}` });
  const queue = new Queue(sampleQueueName, { connection: pool }, createPostgresBackend);
  const worker = new Worker(sampleQueueName, null, { connection: pool, autorun: false }, createPostgresBackend);
  try {
    await queue.waitUntilReady();
    await queue.addBulk(failedJobs.map(({ id, to }) => ({ name: 'welcome', data: { to }, opts: { jobId: id } })));
    for (const { error } of failedJobs) {
      const job = await worker.getNextJob(sampleQueueName, { block: false });
      await job?.moveToFailed(new UnrecoverableError(error), sampleQueueName, false);
    }
    await queue.addBulk(waitingJobs.map(({ id, to }) => ({ name: 'renewal', data: { to }, opts: { jobId: id } })));
  } finally {
    await Promise.allSettled([worker.close(), queue.close()]);
    await pool.end();
  }
}

async function addIntegration(
  client: Client,
  encryptionKeys: string,
  { name, environment, records }: (typeof integrations)[number],
): Promise<void> {
  const keyring = createKeyring(parseKeyList(encryptionKeys, 'ENCRYPTION_KEYS'));
  await inTenant(client, async () => {
    const { rowCount } = await client.query('select from admin_integrations where name = $1', [name]);
    if (rowCount !== 0) return;
    const { rows } = await client.query<{ id: string }>('select gen_random_uuid() as id');
    const id = rows[0]?.id ?? '';
    const secret = generateWebhookSecret();
    const place = { table: 'admin_integrations', column: 'secret_ciphertext', row_id: id };
    await client.query(
      `insert into admin_integrations
         (id, tenant_id, name, kind, environment, config, secret_ciphertext, secret_fingerprint, created_by)
       values ($1, $2, $3, 'webhook_source', $4, $5, $6, $7, $8)`,
      [
        id,
        defaultTenantId,
        name,
        environment,
        JSON.stringify({ kind: 'webhook_source', id_pointer: '/id' }),
        keyring.seal(secret, place),
        keyring.fingerprint(secret),
        creator?.id,
      ],
    );
    for (const record of records) {
      await client.query(
        `insert into integration_records (tenant_id, integration_id, external_id, payload_digest, payload)
         values ($1, $2, $3, $4, $5)`,
        [defaultTenantId, id, record.id, payloadDigest(record), JSON.stringify(record)],
      );
    }
  });
}
