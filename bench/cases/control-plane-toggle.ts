import { withClient } from '../../src/dev/bootstrap-database.ts';
import { createSigningKeyring } from '../../src/platform/security/access-token.ts';
import { payloadDigest } from '../../src/platform/security/digest.ts';
import { parseKeyList } from '../../src/platform/security/keyring.ts';
import { createMfaTokens } from '../../src/platform/security/mfa-token.ts';
import type { Arm } from '../harness.ts';
import type { LoadJob } from '../load.ts';
import type { BenchPerson } from '../seed.ts';
import type { BenchStack } from '../stack.ts';
import type { Unleash } from '../unleash.ts';

/** Prefix of the names of the flags. */
export const togglePrefix = 'bench-flag-';

/** More than any slice of two seconds needs on one connection. */
const togglesPerSecond = 400;

type Request = LoadJob['requests'][number];

/** Every connection switches a flag of its own off and on again, on both sides. */
export async function toggleFlags(stack: BenchStack, unleash: Unleash, connections: number): Promise<Arm[]> {
  const [person] = stack.people;
  if (person === undefined) throw new Error('There is nobody to switch flags.');
  const numbers = Array.from({ length: connections }, (_, number) => number);
  return [
    {
      name: 'Castellan',
      slice: async (durationMs) => {
        const count = Math.ceil((durationMs / 1000) * togglesPerSecond);
        const sequences = await provenToggles(stack, person, numbers, count);
        return stack.load.run({
          url: stack.api.url,
          method: 'POST',
          connections,
          durationMs,
          expectedStatus: 200,
          requests: [],
          sequences,
        });
      },
    },
    {
      name: 'unleash-server',
      slice: (durationMs) => {
        const sequences = numbers.map((number): Request[] =>
          ['off', 'on'].map((state) => ({
            path: `/api/admin/projects/default/features/${togglePrefix}${number}/environments/development/${state}`,
            headers: { authorization: unleash.adminToken },
            body: {},
          })),
        );
        return stack.load.run({
          url: unleash.url,
          method: 'POST',
          connections,
          durationMs,
          expectedStatus: 200,
          requests: [],
          sequences: sequences.map((pair) => repeated(pair, Math.ceil((durationMs / 1000) * togglesPerSecond))),
        });
      },
    },
  ];
}

function repeated(pair: readonly Request[], count: number): Request[] {
  return Array.from({ length: Math.ceil(count / pair.length) }, () => pair).flat();
}

/**
 * Requests that continue from the version each flag is at, each with a factor proof of its own. Challenges are written as
 * met beforehand, because a code of an authenticator app works once in thirty seconds; checking and consuming the proof
 * is part of what is measured.
 */
async function provenToggles(
  stack: BenchStack,
  { tenant_id, user_id, session_id, token }: BenchPerson,
  numbers: readonly number[],
  count: number,
): Promise<Request[][]> {
  const tokens = createMfaTokens({
    keyring: createSigningKeyring(parseKeyList(stack.env.AUTH_SIGNING_KEYS, 'AUTH_SIGNING_KEYS')),
    issuer: stack.env.PUBLIC_URL,
  });
  return withClient(stack.adminUrl, async (admin) => {
    const sequences: Request[][] = [];
    for (const number of numbers) {
      const key = `${togglePrefix}${number}`;
      const flags = await admin.query<{ version: number; enabled: boolean }>(
        "select version, enabled from admin_feature_flags where key = $1 and environment = 'staging'",
        [key],
      );
      const { version, enabled } = flags.rows[0] ?? { version: 1, enabled: true };
      const bodies = Array.from({ length: count }, (_, place) => ({
        environment: 'staging',
        enabled: place % 2 === 0 ? !enabled : enabled,
        version: version + place,
        reason: null,
      }));
      const digests = bodies.map((body) => payloadDigest({ operation: 'toggleFeatureFlag', params: { key }, body }));
      const { rows } = await admin.query<{ id: string }>(
        `insert into mfa_challenges (tenant_id, user_id, session_id, action, payload_digest, method, expires_at, verified_at,
           proof_expires_at)
         select $1, $2, $3, 'flag.toggle', digest, 'totp', now() + interval '5 minutes', now(), now() + interval '5 minutes'
         from unnest($4::text[]) with ordinality d(digest, place) order by place returning id`,
        [tenant_id, user_id, session_id, digests],
      );
      sequences.push(
        await Promise.all(
          bodies.map(async (body, place) => {
            const binding = { user_id, session_id, action: 'flag.toggle', payload_digest: digests[place] ?? '' };
            const proof = await tokens.issue(binding, rows[place]?.id ?? '');
            return {
              path: `/admin/feature-flags/${key}/toggle`,
              headers: { authorization: `Bearer ${token}`, 'x-mfa-token': proof.token },
              body,
            };
          }),
        ),
      );
    }
    // As autovacuum would, had they come one by one.
    await admin.query('analyze mfa_challenges, admin_feature_flags, admin_flag_history');
    return sequences;
  });
}
