import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ProblemError } from '../sdk/index.ts';
import { verifyExportFile } from '../services/audit/audit-export-verification.service.ts';
import { parseVerifier } from '../services/audit/signed-note.ts';
import { apiUrl, pause, prove, say, signIn } from './demo-caller.ts';
import type { Caller } from './demo-caller.ts';
import { startDemoCompany } from './demo-company.ts';
import { showRollout } from './demo-rollout.ts';
import { showRotation } from './demo-rotation.ts';
import { sampleFlagKey } from './sample-data.ts';

/**
 * `npm run demo`: the main job over HTTP, through the typed client, on a stack that `npm start` has started. It starts
 * and stops nothing of it, and can be run again: it switches the sample flag to what it is not. A code of an authenticator
 * app works once, so it waits for the next one now and then: about a minute in all.
 */
const temporalWebUrl = process.env.TEMPORAL_WEB_URL ?? `http://127.0.0.1:${process.env.TEMPORAL_WEB_PORT ?? 8_233}`;
const temporalNamespace = process.env.TEMPORAL_NAMESPACE ?? 'default';

const environment = 'production';
const executionTimeoutMs = 30_000;
const tokenLifeMs = 3_600_000;

async function main(): Promise<void> {
  await assertApiAnswers();
  process.stdout.write(`Castellan at ${apiUrl}\n\n`);
  const requester = await signIn('superadmin@agentmitra.com');
  const wanted = await askForSwitch(requester);
  const approver = await signIn('approver@agentmitra.com');
  await approve(approver, wanted.approval);
  await waitForExecution(requester, wanted.approval.id);
  const operator = await signIn('provider@agentmitra.com');
  await readAsApplication(operator, wanted.enabled);
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

async function approve(approver: Caller, { id, digest }: { id: string; digest: string }): Promise<void> {
  const { adminApi } = approver.client;
  const approved = await prove(approver, (proof) => adminApi.approveRequest(id, { digest, reason: 'Looks right' }, proof));
  const [first] = approved.steps;
  say(`${approver.person.full_name} approves what was shown, with a second factor`, {
    approvals: `${first?.approvals ?? 0} of ${first?.quorum ?? 0} for "${first?.name ?? ''}"`,
    status: approved.status,
  });
}

/** The workflow makes the change; the answer to the last approval does not wait for it. */
async function waitForExecution({ client }: Caller, id: string): Promise<void> {
  const deadline = Date.now() + executionTimeoutMs;
  for (;;) {
    const { data } = await client.http.GET('/admin/approvals/{id}', { params: { path: { id } } });
    if (data?.status === 'executed') {
      say('The workflow has made the change', { status: data.status, change: data.description });
      return;
    }
    if (data?.status !== 'approved') throw new Error(`The request is ${data?.status}: ${data?.failure_detail ?? ''}`);
    if (Date.now() > deadline) throw new Error('The workflow did not make the change in time: does the worker run?');
    await pause(100);
  }
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

/** Shows the entries, a signed checkpoint that covers them, and an export that verifies without the server. */
async function proveByAudit({ client }: Caller, approvalId: string): Promise<void> {
  const { items } = await client.adminApi.getAuditLogs({ limit: 50 });
  const entries = items.filter(({ resource_id, event }) => resource_id === approvalId || event.startsWith('flag.'));
  say('The audit log tells it, newest first', {
    ...Object.fromEntries(entries.slice(0, 5).map(({ seq, event, outcome }) => [`entry ${seq}`, `${event} (${outcome})`])),
  });
  const { data: checkpoint, error } = await client.http.GET('/admin/audit-logs/checkpoints/latest');
  if (checkpoint === undefined) throw new ProblemError(error);
  say('A signed checkpoint covers it', { entries: checkpoint.size, 'Merkle root': checkpoint.root_hash });

  const folder = await mkdtemp(join(tmpdir(), 'castellan-demo-'));
  try {
    const file = join(folder, 'audit.jsonl');
    const body = await client.adminApi.exportAuditLogs({ format: 'jsonl' });
    await pipeline(Readable.fromWeb(body), createWriteStream(file));
    const report = await verifyExportFile(file, {
      verifiers: checkpoint.public_keys.map(parseVerifier),
      notes: [checkpoint.note],
    });
    if (!report.valid) throw new Error(`The export does not verify: ${JSON.stringify(report.findings)}`);
    say('An export of the log verifies offline', { entries: report.rows, result: 'valid' });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
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
