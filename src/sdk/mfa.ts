import type { components } from './openapi.types.ts';
import { isProblem } from './problem-error.ts';

/** A challenge that waits for a code. */
export type MfaChallenge = components['schemas']['MfaChallenge'];
/** The proof that a challenge was met. */
export type MfaToken = components['schemas']['MfaToken'];

/** Gets the code from the person: a dialog, a prompt, in tests the TOTP itself. */
export type CodeProvider = (challenge: MfaChallenge) => Promise<string>;

/** The two calls of the second factor. */
export interface FactorApi {
  requestMFACode(body: { action: string; payload_digest: string }): Promise<MfaChallenge>;
  verifyMFACode(body: { challenge_id: string; code: string }): Promise<MfaToken>;
}

/**
 * Runs an operation; where the server asks for a second factor, meets the challenge and repeats the operation with the
 * proof. The operation must send the same input both times, with the same version: the proof is bound to both.
 *
 * @param operation is called with nothing first, then with `{ mfaToken }` to hand on to the call
 * @throws ProblemError of the operation, or `mfa.code-refused`, `mfa.locked` and the like of the challenge
 */
export async function proveAndRepeat<Result>(
  factors: FactorApi,
  operation: (proof: { mfaToken?: string }) => Promise<Result>,
  codeProvider: CodeProvider,
): Promise<Result> {
  try {
    return await operation({});
  } catch (error) {
    if (!isProblem(error, 'mfa.required')) throw error;
    const { action, payload_digest } = error.members;
    // Without them it is a proof that was refused, not a request for one.
    if (typeof action !== 'string' || typeof payload_digest !== 'string') throw error;
    const challenge = await factors.requestMFACode({ action, payload_digest });
    const code = await codeProvider(challenge);
    const { mfa_token } = await factors.verifyMFACode({ challenge_id: challenge.challenge_id, code });
    return operation({ mfaToken: mfa_token });
  }
}
