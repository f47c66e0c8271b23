import { Client } from 'pg';
import { defaultTenantId } from '../domain/shared/actor.ts';
import { environmentNames } from '../domain/shared/environment.ts';
import { systemRoles } from '../domain/identity/system-roles.ts';
import type { SystemRoleCode } from '../domain/identity/system-roles.ts';
import { createKeyring, parseKeyList } from '../platform/security/keyring.ts';
import { createPasswordHasher } from '../platform/security/password.ts';

/** A person of the sample data, as `npm start` shows them. Development only. */
export interface SampleSignIn {
  readonly role: string;
  readonly email: string;
  readonly phone_number: string;
  readonly password: string;
  /** Base32; enrolled for the people who act in the demo. */
  readonly totp_secret: string;
}

/** Public: an account with this password must never exist in production. */
export const samplePassword = 'testpassword';

const superAdminId = '550e8400-e29b-41d4-a716-446655440000';

/** One person per system role (S1-21, S1-23), and a second super admin who approves the first one's requests. */
export const samplePeople = [
  person(superAdminId, 'role-super-admin', 'Super Administrator', 'superadmin@agentmitra.com', '+919876543200'),
  person('550e8400-e29b-41d4-a716-446655440001', 'role-provider-admin', 'Priya Nair', 'provider@agentmitra.com', '+919876543201'),
  person('550e8400-e29b-41d4-a716-446655440002', 'role-regional-manager', 'Rohan Mehta', 'regional@agentmitra.com', '+919876543202'),
  person('550e8400-e29b-41d4-a716-446655440003', 'role-senior-agent', 'Sunita Rao', 'senior@agentmitra.com', '+919876543203'),
  person('550e8400-e29b-41d4-a716-446655440004', 'role-junior-agent', 'Arjun Das', 'junior@agentmitra.com', '+919876543204'),
  person('550e8400-e29b-41d4-a716-446655440005', 'role-policyholder', 'Meera Iyer', 'customer@agentmitra.com', '+919876543205'),
  person('550e8400-e29b-41d4-a716-446655440006', 'role-support-staff', 'Vikram Shah', 'support@agentmitra.com', '+919876543206'),
  person('550e8400-e29b-41d4-a716-446655440007', 'role-super-admin', 'Second Administrator', 'approver@agentmitra.com', '+919876543207'),
];

interface SamplePerson {
  readonly id: string;
  readonly role: SystemRoleCode;
  readonly full_name: string;
  readonly email: string;
  readonly phone_number: string;
  readonly totp_secret: string;
}

function person(id: string, role: SystemRoleCode, full_name: string, email: string, phone_number: string): SamplePerson {
  return { id, role, full_name, email, phone_number, totp_secret: sampleTotpSecret(id) };
}

/** A fixed secret per person, so that a second start shows the same ones. 32 base32 letters, of the person's id. */
function sampleTotpSecret(id: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const digits = id.replaceAll('-', '');
  return [...digits].map((digit, index) => alphabet[(Number.parseInt(digit, 16) * 7 + index * 11) % 32]).join('');
}

/** What the sample data needs of the environment. */
interface SampleSettings {
  readonly NODE_ENV: string;
  readonly DATABASE_URL: string;
  readonly ENCRYPTION_KEYS: string;
}

/**
 * Inserts tenants, roles, people and flags, in this order (S1-55); running it again changes no existing row.
 * It writes as the application does, inside the default tenant.
 *
 * @throws Error in production: its passwords are public.
 */
export async function seedSampleData(env: SampleSettings): Promise<SampleSignIn[]> {
  if (env.NODE_ENV === 'production') throw new Error('Sample data is refused in production: its passwords are public.');
  const client = new Client({ connectionString: env.DATABASE_URL });
  await client.connect();
  try {
    await client.query('begin');
    await client.query("select set_config('app.tenant_id', $1, true)", [defaultTenantId]);
    await seedPeople(client, env.ENCRYPTION_KEYS);
    await seedFlags(client);
    await client.query('commit');
  } finally {
    await client.end();
  }
  return samplePeople.map(({ role, email, phone_number, totp_secret }) => ({
    role: systemRoles.find(({ code }) => code === role)?.name ?? role,
    email,
    phone_number,
    password: samplePassword,
    totp_secret,
  }));
}

async function seedPeople(client: Client, encryptionKeys: string): Promise<void> {
  const { rows: known } = await client.query<{ id: string }>('select id from users where id = any($1)', [
    samplePeople.map(({ id }) => id),
  ]);
  const missing = samplePeople.filter(({ id }) => !known.some((row) => row.id === id));
  const keyring = createKeyring(parseKeyList(encryptionKeys, 'ENCRYPTION_KEYS'));
  const passwords = createPasswordHasher({ concurrency: 2, queueLimit: samplePeople.length });
  for (const sample of missing) {
    // Hashed here, never pasted: the documents' sample hash could not verify (S1-53).
    const hash = await passwords.hash(samplePassword);
    const coarse = systemRoles.find(({ code }) => code === sample.role)?.coarse_role ?? 'user';
    await client.query(
      `insert into users (id, tenant_id, email, phone_number, password_hash, full_name, role)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [sample.id, defaultTenantId, sample.email, sample.phone_number, hash, sample.full_name, coarse],
    );
    if (coarse !== 'user') {
      await client.query('insert into admin_users (tenant_id, user_id) values ($1, $2)', [defaultTenantId, sample.id]);
    }
    await client.query(
      `insert into admin_role_assignments (tenant_id, user_id, role_id, assigned_by, reason)
       select $1, $2, id, $3, 'sample data' from admin_roles where code = $4 and tenant_id is null`,
      [defaultTenantId, sample.id, superAdminId, sample.role],
    );
    const { rows } = await client.query<{ id: string }>('select gen_random_uuid() as id');
    const factorId = rows[0]?.id ?? '';
    const place = { table: 'mfa_factors', column: 'secret_ciphertext', row_id: factorId };
    await client.query(
      `insert into mfa_factors (id, tenant_id, user_id, secret_ciphertext, confirmed_at) values ($1, $2, $3, $4, now())`,
      [factorId, defaultTenantId, sample.id, keyring.seal(sample.totp_secret, place)],
    );
  }
}

/** Key of the sample flag; `npm run demo` switches it in production. */
export const sampleFlagKey = 'new-dashboard';

/** One flag in every environment, on in development only, with the first line of its history. */
async function seedFlags(client: Client): Promise<void> {
  await client.query(
    `with made as (
       insert into admin_feature_flags
         (tenant_id, key, environment, description, value_type, variants, enabled, on_variant, off_variant,
          rollout_percentage, updated_by)
       select $1, $2, place.name, 'The redesigned start page', 'boolean', '{"on": true, "off": false}',
         place.name = 'development', 'on', 'off', case place.name when 'development' then 100 else 0 end, $3
       from unnest($4::text[]) as place (name)
       on conflict (tenant_id, environment, key) do nothing
       returning *
     )
     insert into admin_flag_history
       (tenant_id, flag_id, key, environment, version, change, definition, changed_by, reason)
     select tenant_id, id, key, environment, version, 'created',
       jsonb_build_object('description', description, 'value_type', value_type, 'variants', variants,
         'enabled', enabled, 'on_variant', on_variant, 'off_variant', off_variant,
         'rollout_percentage', rollout_percentage, 'rules', rules, 'off_is_safe', off_is_safe),
       updated_by, 'sample data'
     from made`,
    [defaultTenantId, sampleFlagKey, superAdminId, environmentNames],
  );
}
