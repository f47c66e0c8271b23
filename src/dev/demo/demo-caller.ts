import { createCastellanClient, isProblem } from '../../sdk/index.ts';
import type { CastellanClient } from '../../sdk/index.ts';
import { totpCodeOfStep, totpPeriodSeconds, totpStepAt } from '../../platform/security/totp.ts';

/** Whom a demonstration shows, with the secret of their authenticator app. */
interface DemoPerson {
  readonly full_name: string;
  readonly email: string;
  /** Base32. */
  readonly totp_secret: string;
}

/** A signed-in person with an authenticator app. */
export interface Caller {
  readonly person: DemoPerson;
  readonly client: CastellanClient;
}

let step = 0;

/** Prints the next step of the demonstration. */
export function say(title: string, details: Record<string, string | number | boolean> = {}): void {
  step += 1;
  const lines = Object.entries(details).map(([name, value]) => `      ${name.padEnd(14)} ${value}`);
  process.stdout.write(`${[`${String(step).padStart(3)}. ${title}`, ...lines].join('\n')}\n`);
}

/** Signs a person in; `code` where signing in asks for one. */
export async function signIn(
  apiUrl: string,
  person: DemoPerson,
  { password, code }: { readonly password: string; readonly code?: string },
): Promise<Caller> {
  const client = createCastellanClient({ baseUrl: apiUrl });
  await client.signIn({ email: person.email, password, ...(code === undefined ? {} : { code }) });
  say(`${person.full_name} signs in${code === undefined ? '' : ' with password and code'}`, { account: person.email });
  return { person, client };
}

/** Runs a gated operation with the code of the person's authenticator app. Each code works once. */
export async function prove<Result>(
  { person, client }: Caller,
  operation: (proof: { mfaToken?: string }) => Promise<Result>,
): Promise<Result> {
  const code = () => Promise.resolve(totpCodeOfStep(person.totp_secret, totpStepAt(Date.now())));
  try {
    return await client.withMfa(operation, code);
  } catch (error) {
    if (!isProblem(error, 'mfa.code-refused')) throw error;
    process.stdout.write('      (this code has just been used: waiting for the next one)\n');
    await nextTotpStep();
    return client.withMfa(operation, code);
  }
}

async function nextTotpStep(): Promise<void> {
  const used = totpStepAt(Date.now());
  while (totpStepAt(Date.now()) === used) await pause(200);
}

/**
 * The code of the time step before the present one, which an account's link takes too, so that the present one is left for
 * signing in. It stays good for some seconds: near the end of a step the next one is waited for.
 */
export async function earlierCode(secret: string): Promise<string> {
  const stepMs = totpPeriodSeconds * 1_000;
  if (stepMs - (Date.now() % stepMs) < 6_000) await nextTotpStep();
  return totpCodeOfStep(secret, totpStepAt(Date.now()) - 1);
}

const waitTimeoutMs = 60_000;

/** Polls until there is an answer. @throws Error when it takes too long */
export async function waitFor<Answer>(what: string, ask: () => Promise<Answer | null>): Promise<Answer> {
  const deadline = Date.now() + waitTimeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (Date.now() > deadline) throw new Error(`${what} did not happen in time: does the worker run?`);
    await pause(200);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
