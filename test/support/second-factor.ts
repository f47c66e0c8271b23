import { isProblem } from '../../src/sdk/index.ts';
import type { Answer, CallOptions, SignedIn, TestApi } from './api.ts';
import { createMfaChallenge } from './factories/identity.ts';

/** Whom a proof is bound to: somebody who is signed in. */
export type Person = Pick<SignedIn, 'user_id' | 'session_id' | 'token'>;

/** What a refusal with `mfa.required` wants to have proven. */
interface Wanted {
  readonly action: string;
  readonly payload_digest: string;
}

/**
 * A factor proof for an action with a payload. The challenge is written as met and the token signed by the API's own keys:
 * a code for each call would have to wait for the next time step. Binding, expiry and single use of the proof are as real
 * as ever; how a challenge is met is tested with the second factor itself.
 */
export async function factorProof(app: TestApi, person: Person, { action, payload_digest }: Wanted): Promise<string> {
  const { user_id, session_id } = person;
  const binding = { user_id, session_id, action, payload_digest };
  const challenge = await createMfaChallenge(app, binding);
  const { token } = await app.api.deps.mfaTokens.issue(binding, challenge.id);
  return token;
}

/** Sends a request; where it asks for a second factor, sends it again with a proof. */
export async function callProven(
  app: TestApi,
  person: Person,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const call = await provenCall(app, person, method, path, options);
  return call();
}

/** Proves the factor for a call and leaves the call itself for later, so that several can be made at one time. */
export async function provenCall(
  app: TestApi,
  person: Person,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<() => Promise<Answer>> {
  const { token } = person;
  const asked = await app.call(method, path, { ...options, token });
  if (asked.status !== 403 || asked.body.code !== 'mfa.required') return async () => asked;
  const headers = { ...options.headers, 'x-mfa-token': await factorProof(app, person, asked.body) };
  return () => app.call(method, path, { ...options, token, headers });
}

/** Runs an operation of the typed client; where it asks for a second factor, runs it again with a proof. */
export async function runProven<Result>(
  app: TestApi,
  person: Person,
  operation: (proof: { mfaToken?: string }) => Promise<Result>,
): Promise<Result> {
  try {
    return await operation({});
  } catch (error) {
    if (!isProblem(error, 'mfa.required')) throw error;
    const { action, payload_digest } = error.members;
    const wanted = { action: String(action), payload_digest: String(payload_digest) };
    return operation({ mfaToken: await factorProof(app, person, wanted) });
  }
}
