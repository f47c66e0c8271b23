import { randomBytes } from 'node:crypto';
import { ProblemError, createCastellanClient } from '../../sdk/index.ts';
import type { Approval } from '../../sdk/index.ts';
import { totpCodeOfStep, totpStepAt } from '../../platform/security/totp.ts';
import { approve, waitForExecution } from './demo-approval.ts';
import { proveByAudit } from './demo-audit.ts';
import { earlierCode, prove, say, signIn, waitFor } from './demo-caller.ts';
import type { Caller } from './demo-caller.ts';
import { startProductionStack } from './production-stack.ts';
import type { ProductionStack } from './production-stack.ts';

const environment = 'production';
const flagKey = 'new-dashboard';
/** Named together by the operator: whoever is made by a colleague could not be the second person. */
const administrators = [
  { full_name: 'Ana Silva', email: 'ana@castellan.example' },
  { full_name: 'Bo Li', email: 'bo@castellan.example' },
] as const;

/**
 * `npm run demo -- --production`: from an empty database to a change in production that two people have made, with
 * NODE_ENV=production and the roles, namespace, processes and commands of `docker-compose.yml`. It brings and removes its
 * own servers. Where a code of an authenticator app was just used it waits for the next one: about a minute in all.
 *
 * @throws Error at the first step that does not hold
 */
export async function showProduction(): Promise<void> {
  const stack = await startProductionStack((step) => process.stdout.write(`  - ${step}\n`));
  const stop = endingBySignal(stack);
  try {
    say('An installation as production has it is up, and nobody is in it', stack.parts);
    await refuseSampleSignIn(stack);
    const [requester, approver] = await admitAdministrators(stack);
    await readFlag(requester, stack, undefined);
    const wanted = await askForFlag(requester);
    await readFlag(requester, stack, undefined);
    await approve(approver, wanted);
    await waitForExecution(requester, wanted.id);
    await readFlag(approver, stack, true);
    const publicKeys = await proveByAudit(requester, wanted.id);
    say('The retention has run with its own login', { said: (await stack.retention(publicKeys)).trim() });
    await Promise.all([requester, approver].map(({ client }) => client.signOut()));
    say('Both have signed out');
  } finally {
    await stop();
  }
  process.stdout.write('\nEvery step held; what was started has been stopped and removed.\n');
}

/** Stops the stack once, at the end or when somebody interrupts. */
function endingBySignal(stack: ProductionStack): () => Promise<void> {
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= stack.stop());
  const interrupt = () => void stop().finally(() => process.exit(1));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt);
  return async () => {
    await stop();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
  };
}

/** The public sign-ins of `npm start` must let nobody into production. */
async function refuseSampleSignIn({ apiUrl }: ProductionStack): Promise<void> {
  const client = createCastellanClient({ baseUrl: apiUrl });
  const { response } = await client.http.POST('/auth/login', {
    body: { email: 'superadmin@agentmitra.com', password: 'testpassword' },
  });
  if (response.status !== 401) throw new Error(`A sample sign-in is answered with ${response.status}.`);
  say('A sample sign-in is refused', { status: response.status });
}

/** Both are named in one run of the command; each uses the own link and signs in. */
async function admitAdministrators(stack: ProductionStack): Promise<[Caller, Caller]> {
  const named = administrators.flatMap(({ full_name, email }) => ['--email', email, '--name', full_name]);
  const printed = await stack.adminCreate(named);
  const tokens = [...printed.matchAll(/\/account-link#([\w-]+)/g)].map(([, token]) => token ?? '');
  say('The operator names two administrators with admin:create', { links: tokens.length });
  const [first, second] = administrators;
  return [await admit(stack, first, tokens[0] ?? ''), await admit(stack, second, tokens[1] ?? '')];
}

/** Opens a link, enters the secret in an app, chooses a password, and signs in with both. */
async function admit({ apiUrl }: ProductionStack, person: { full_name: string; email: string }, token: string): Promise<Caller> {
  const { http } = createCastellanClient({ baseUrl: apiUrl });
  const opened = await http.POST('/auth/account-links/open', { body: { token } });
  if (opened.data === undefined) throw new ProblemError(opened.error);
  const totp_secret = opened.data.totp.secret;
  const password = `velvet-harbour-${randomBytes(6).toString('hex')}`;
  const code = await earlierCode(totp_secret);
  const completed = await http.POST('/auth/account-links/complete', { body: { token, password, code } });
  if (completed.data === undefined) throw new ProblemError(completed.error);
  const again = await http.POST('/auth/account-links/open', { body: { token } });
  if (again.response.status !== 410) throw new Error(`A used link is answered with ${again.response.status}.`);
  say(`${person.full_name} uses the one-time link: a password, an authenticator app`, {
    account: completed.data.email ?? '',
    'recovery codes': completed.data.recovery_codes.length,
    'link again': again.response.status,
  });
  return signIn(apiUrl, { ...person, totp_secret }, { password, code: totpCodeOfStep(totp_secret, totpStepAt(Date.now())) });
}

/** A new flag that is on in production: that opens an approval request. */
async function askForFlag(requester: Caller): Promise<Approval> {
  const body = {
    key: flagKey,
    environment,
    description: 'The redesigned start page',
    value_type: 'boolean',
    variants: { on: true, off: false },
    enabled: true,
    on_variant: 'on',
    off_variant: 'off',
    rollout_percentage: 100,
    reason: 'Launch',
  } as const;
  const approval = await prove(requester, async ({ mfaToken }) => {
    const header = mfaToken === undefined ? {} : { 'X-MFA-Token': mfaToken };
    const { data, error, response } = await requester.client.http.POST('/admin/feature-flags', { body, params: { header } });
    if (error !== undefined) throw new ProblemError(error);
    if (response.status !== 202) throw new Error(`Production is changed without approval: ${response.status}.`);
    return data as Approval;
  });
  say(`${requester.person.full_name} asks to switch ${flagKey} on in ${environment}, with a second factor`, {
    approval: approval.id,
    digest: approval.digest,
    status: approval.status,
  });
  return approval;
}

/** Reads the flag by the OpenFeature remote evaluation protocol; `expected` is undefined where there is none yet. */
async function readFlag({ person, client }: Caller, { apiUrl }: ProductionStack, expected: boolean | undefined): Promise<void> {
  const read = await waitFor('The change of the flag', async () => {
    const response = await fetch(`${apiUrl}/ofrep/v1/evaluate/flags/${flagKey}?environment=${environment}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${client.tokens?.access_token ?? ''}`, 'content-type': 'application/json' },
      body: JSON.stringify({ context: { targetingKey: 'visitor-1' } }),
    });
    const { value } = (await response.json()) as { value?: unknown };
    if (expected === undefined && response.status !== 404) throw new Error(`The flag is read before it was approved: ${response.status}.`);
    return value === expected ? { status: response.status, value } : null;
  });
  say(`${person.full_name} reads the flag by OFREP`, { status: read.status, value: expected ?? 'there is no such flag' });
}
