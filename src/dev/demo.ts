import { parseArgs } from 'node:util';
import { ProblemError } from '../sdk/index.ts';
import { approve, waitForExecution } from './demo/demo-approval.ts';
import { proveByAudit } from './demo/demo-audit.ts';
import { prove, say, signIn } from './demo/demo-caller.ts';
import type { Caller } from './demo/demo-caller.ts';
import { eraseClient, showClient } from './demo/demo-client.ts';
import { startDemoCompany } from './demo/demo-company.ts';
import { showRollout } from './demo/demo-rollout.ts';
import { showRotation } from './demo/demo-rotation.ts';
import { sampleFlagKey, samplePassword, samplePeople } from './sample-data.ts';

/**
 * `npm run demo`: the main job over HTTP, through the typed client, on a stack that `npm start` has started. It starts
 * and stops nothing of it, and can be run again: it switches the sample flag to what it is not. A code of an authenticator
 * app works once, so it waits for the next one now and then: about a minute in all.
 *
 * `npm run demo -- --production` needs no running stack: it starts one of its own, as production has it.
 */
const apiUrl = process.env.CASTELLAN_URL ?? `http://127.0.0.1:${process.env.PORT ?? 3_000}`;
const temporalWebUrl = process.env.TEMPORAL_WEB_URL ?? `http://127.0.0.1:${process.env.TEMPORAL_WEB_PORT ?? 8_233}`;
const temporalNamespace = process.env.TEMPORAL_NAMESPACE ?? 'default';

const environment = 'production';
const tokenLifeMs = 3_600_000;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { production: { type: 'boolean', default: false } } });
  // Loaded late: it brings what starts servers, which the demonstration on a running stack does not need.
  if (values.production) await (await import('./demo/demo-production.ts')).showProduction();
  else await showRunningStack();
}

async function showRunningStack(): Promise<void> {
  await assertApiAnswers();
  process.stdout.write(`Castellan at ${apiUrl}\n\n`);
  const requester = await signInSample('superadmin@agentmitra.com');
  const wanted = await askForSwitch(requester);
  const approver = await signInSample('approver@agentmitra.com');
  await approve(approver, wanted.approval);
  await waitForExecution(requester, wanted.approval.id);
  const operator = await signInSample('provider@agentmitra.com');
  await readAsApplication(operator, wanted.enabled);
  await eraseClient(apiUrl, requester, approver, await showClient(requester));
  const company = await startDemoCompany();
  try {
    await showRollout(requester, approver, company);
    await showRotation(operator, approver, company);
  } finally {
    await company.close();
  }
  await proveByAudit(requester, wanted.approval.id);
  await Promise.all([requester, approver, operator].map(({ client }) => client.signOut()));
  say('All three have signed out');
}

async function assertApiAnswers(): Promise<void> {
  const ready = await fetch(`${apiUrl}/health/ready`).then(
    (response) => response.ok,
    () => false,
  );
  if (ready) return;
  throw new Error(
    `Nothing answers at ${apiUrl}: run npm start in another terminal first, or set CASTELLAN_URL to the address of the API.`,
  );
}

function signInSample(email: string): Promise<Caller> {
  const person = samplePeople.find((one) => one.email === email);
  if (person === undefined) throw new Error(`There is no sample person ${email}.`);
  return signIn(apiUrl, person, { password: samplePassword });
}

/** Asks for the switch of the sample flag; in production that opens an approval request. */
async function askForSwitch(requester: Caller) {
  const { adminApi } = requester.client;
  const { items } = await adminApi.getFeatureFlags({ environment });
  const flag = items.find(({ key }) => key === sampleFlagKey);
  if (flag === undefined) throw new Error(`The sample flag ${sampleFlagKey} is missing: is this a stack of npm start?`);
  const enabled = !flag.enabled;
  say(`Flag ${flag.key} is ${onOff(flag.enabled)} in ${environment}`, { version: flag.version });
  const body = { environment, enabled, version: flag.version, reason: 'Demonstration' } as const;
  const outcome = await prove(requester, (proof) => adminApi.toggleFeatureFlag(flag.key, body, proof));
  if (outcome.kind === 'done') throw new Error(`A policy lets ${environment} flags change without approval.`);
  const { approval } = outcome;
  say(`${requester.person.full_name} asks to switch it ${onOff(enabled)}, with a second factor`, {
    approval: approval.id,
    digest: approval.digest,
    status: approval.status,
    'Temporal Web': workflowAddress(approval.workflow_id),
  });
  return { approval, enabled };
}

/** An application with a token of its own reads the flag by the OpenFeature remote evaluation protocol. */
async function readAsApplication(operator: Caller, expected: boolean): Promise<void> {
  const expires_at = new Date(Date.now() + tokenLifeMs).toISOString();
  const issued = await prove(operator, async ({ mfaToken }) => {
    const { data, error } = await operator.client.http.POST('/admin/service-tokens', {
      body: { name: 'demo application', environment, permissions: ['flag:evaluate'], expires_at },
      params: { header: mfaToken === undefined ? {} : { 'X-MFA-Token': mfaToken } },
    });
    if (data === undefined) throw new ProblemError(error);
    return data;
  });
  say(`${operator.person.full_name} issues a service token for an application`, {
    token: `…${issued.last4}`,
    environment: issued.environment ?? '',
  });
  const response = await fetch(`${apiUrl}/ofrep/v1/evaluate/flags/${sampleFlagKey}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${issued.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ context: { targetingKey: 'visitor-1' } }),
  });
  const evaluation = (await response.json()) as { value?: unknown; reason?: string };
  if (evaluation.value !== expected) throw new Error(`The application reads ${JSON.stringify(evaluation)}.`);
  say('The application reads the flag by OFREP', { value: expected, reason: evaluation.reason ?? '' });
}

function workflowAddress(workflowId: string): string {
  return `${temporalWebUrl}/namespaces/${temporalNamespace}/workflows/${encodeURIComponent(workflowId)}`;
}

function onOff(enabled: boolean): string {
  return enabled ? 'on' : 'off';
}

main().catch((error: unknown) => {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
