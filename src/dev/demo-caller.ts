import { createCastellanClient, isProblem } from '../sdk/index.ts';
import type { CastellanClient } from '../sdk/index.ts';
import { totpCodeOfStep, totpStepAt } from '../platform/security/totp.ts';
import { samplePassword, samplePeople } from './sample-data.ts';

export const apiUrl = process.env.CASTELLAN_URL ?? `http://127.0.0.1:${process.env.PORT ?? 3_000}`;

/** A signed-in person with an authenticator app. */
export interface Caller {
  readonly person: (typeof samplePeople)[number];
  readonly client: CastellanClient;
}

let step = 0;

/** Prints the next step of the demonstration. */
export function say(title: string, details: Record<string, string | number | boolean> = {}): void {
  step += 1;
  const lines = Object.entries(details).map(([name, value]) => `      ${name.padEnd(14)} ${value}`);
  process.stdout.write(`${[`${String(step).padStart(3)}. ${title}`, ...lines].join('\n')}\n`);
}

/** Signs a sample person in. */
export async function signIn(email: string): Promise<Caller> {
  const person = samplePeople.find((one) => one.email === email);
  if (person === undefined) throw new Error(`There is no sample person ${email}.`);
  const client = createCastellanClient({ baseUrl: apiUrl });
  await client.signIn({ email, password: samplePassword });
  say(`${person.full_name} signs in`, { account: email });
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
