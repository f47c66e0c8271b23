import { withClient } from '../../src/dev/bootstrap-database.ts';
import type { Answer, CallOptions, SignedIn, TestApi } from './api.ts';

/**
 * Calls a gated operation with a factor proof that was met beforehand: the challenge is written as verified and the
 * token signed by the API's own keys. How a challenge is met is tested with the second factor; here a code for each
 * call
 * would have to wait for the next time step. Binding, expiry and single use of the proof are as real as ever.
 */
export async function callProven(
  app: TestApi,
  person: SignedIn,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const asked = await app.call(method, path, { ...options, token: person.token });
  if (asked.status !== 403 || asked.body.code !== 'mfa.required') return asked;
  const token = await quickProof(app, person, asked.body.action, asked.body.payload_digest);
  return app.call(method, path, {
    ...options,
    token: person.token,
    headers: { ...options.headers, 'x-mfa-token': token },
  });
}

/** A token for a challenge that counts as met just now. */
export async function quickProof(
  app: TestApi,
  person: SignedIn,
  action: string,
  payloadDigest: string,
): Promise<string> {
  const { user_id, session_id } = person;
  const challengeId = await withClient(app.database.adminUrl, async (admin) => {
    const { rows } = await admin.query<{ id: string }>(
      `insert into mfa_challenges (tenant_id, user_id, session_id, action, payload_digest, method, expires_at, verified_at,
         proof_expires_at)
       select tenant_id, id, $2, $3, $4, 'totp', now() + interval '5 minutes', now(), now() + interval '5 minutes'
       from users where id = $1 returning id`,
      [user_id, session_id, action, payloadDigest],
    );
    return rows[0]?.id ?? '';
  });
  const binding = { user_id, session_id, action, payload_digest: payloadDigest };
  const { token } = await app.api.deps.mfaTokens.issue(binding, challengeId);
  return token;
}

/** Runs SQL behind every policy, as the superuser. */
export async function asSuperuser<Row extends Record<string, unknown>>(
  app: TestApi,
  statement: string,
  values: unknown[] = [],
): Promise<Row[]> {
  return withClient(app.database.adminUrl, async (admin) => (await admin.query<Row>(statement, values)).rows);
}

/** Asks until an answer is right; for what happens a moment later in a worker. */
export async function eventually<Value>(
  ask: () => Promise<Value>,
  isRight: (value: Value) => boolean,
  timeoutMs = 20_000,
): Promise<Value> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await ask();
    if (isRight(value)) return value;
    if (Date.now() > deadline) throw new Error(`Still not right: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
