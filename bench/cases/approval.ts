import { randomUUID } from 'node:crypto';
import { Client, Connection, WithStartWorkflowOperation } from '@temporalio/client';
import pg from 'pg';
import { sampleFlagKey, samplePeople } from '../../src/dev/sample-data.ts';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { defaultWindows } from '../../src/domain/approval/approval-policy.ts';
import { createSigningKeyring } from '../../src/platform/security/access-token.ts';
import { payloadDigest } from '../../src/platform/security/digest.ts';
import { parseKeyList } from '../../src/platform/security/keyring.ts';
import { changeDigest } from '../../src/services/actions/run-action.ts';
import { createMfaTokens } from '../../src/platform/security/mfa-token.ts';
import {
  approvalStartOptions,
  approvalWorkflowId,
  approvalWorkflowType,
  approveUpdate,
  openUpdate,
} from '../../src/workflows/approval/approval.contract.ts';
import type { ApprovalInput, PersonRef } from '../../src/workflows/approval/approval.contract.ts';
import { figuresOf, interleave, meets, noiseNotes, ratioOf, sequentialSlice } from '../harness.ts';
import type { GoalResult, Plan } from '../harness.ts';
import { issueTokens, openBenchSession } from '../seed.ts';
import type { BenchPerson } from '../seed.ts';
import type { BenchStack } from '../stack.ts';

const goal = { at: 'most', limit: 1.3 } as const;

/**
 * A decision on an approval request through the API, to the same update sent by the bare SDK to the same workflow with
 * the same activities. Of two approvals that the policy wants it is the first, so nothing is executed afterwards.
 * Requests and factor proofs are prepared outside of what is measured.
 */
export async function benchApproval(stack: BenchStack, plan: Plan): Promise<GoalResult[]> {
  const admin = new pg.Client({ connectionString: stack.adminUrl });
  await admin.connect();
  const connection = await Connection.connect({ address: stack.env.TEMPORAL_ADDRESS });
  try {
    const bench = await prepareDecisions(stack, admin, new Client({ connection, namespace: stack.env.TEMPORAL_NAMESPACE }));
    const before = await updatesCounted(stack);
    let decided = 0;
    const slices = await interleave(
      [
        {
          name: 'Castellan',
          slice: (durationMs) =>
            sequentialSlice(durationMs, () => {
              decided += 1;
              return bench.decideThroughApi();
            }),
        },
        { name: 'bare SDK', slice: (durationMs) => sequentialSlice(durationMs, () => bench.decideBySdk()) },
      ],
      plan,
    );
    const updates = (await updatesCounted(stack)) - before;
    const value = ratioOf(slices, 'Castellan', 'bare SDK', 'p50Ms');
    return [
      {
        id: 'approval-decision',
        title: 'Approval decision, one at a time',
        figure: 'p50 latency, Castellan over HTTP / bare SDK update to the same workflow',
        value,
        goal,
        met: meets(value, goal) && updates === decided,
        arms: figuresOf(slices),
        notes: [`Temporal calls for each decision: ${updates / decided}`, ...noiseNotes(slices, 'bare SDK')],
      },
    ];
  } finally {
    await Promise.all([admin.end(), connection.close()]);
  }
}

/** Decisions on approval requests of two people; what a decision needs is made outside of what is measured. */
export async function prepareDecisions(stack: BenchStack, admin: pg.Client, client: Client) {
  const [requester, approver] = await adminsWithSessions(stack, admin);
  const tokens = createMfaTokens({
    keyring: createSigningKeyring(parseKeyList(stack.env.AUTH_SIGNING_KEYS, 'AUTH_SIGNING_KEYS')),
    issuer: stack.env.PUBLIC_URL,
  });

  /** A verified challenge, as a person would have met it. */
  async function proof(person: BenchPerson, action: string, payload_digest: string): Promise<string> {
    const id = randomUUID();
    await admin.query(
      `insert into mfa_challenges (id, tenant_id, user_id, session_id, action, payload_digest, method, expires_at,
         verified_at, proof_expires_at)
       values ($1, $2, $3, $4, $5, $6, 'totp', now() + interval '5 minutes', now(), now() + interval '5 minutes')`,
      [id, person.tenant_id, person.user_id, person.session_id, action, payload_digest],
    );
    return id;
  }

  /** A change of its own for each request, because the same one waits once. */
  async function storedChange(reason: string): Promise<string> {
    const change = { action: 'flag.toggle', environment: 'production' as const };
    const payload = { key: sampleFlagKey, environment: 'production', enabled: true, version: 1, reason };
    const digest = changeDigest({ ...change, payload });
    await admin.query(
      `insert into admin_approval_payloads (tenant_id, digest, action, environment, payload) values ($1, $2, $3, $4, $5)`,
      [defaultTenantId, digest, change.action, change.environment, payload],
    );
    return digest;
  }

  async function open(): Promise<{ id: string; digest: string }> {
    const approval_id = randomUUID();
    const digest = await storedChange(`bench ${approval_id}`);
    const input: ApprovalInput = {
      requester: refOf(requester),
      approval_id,
      action: 'flag.toggle',
      environment: 'production',
      digest,
      reason: null,
      policy: {
        ...defaultWindows,
        steps: [{ name: 'administrators', roles: ['role-super-admin'], users: [], quorum: 2 }],
        bypassers: [],
      },
    };
    await client.workflow.executeUpdateWithStart(openUpdate, {
      args: [{ mfa_proof_id: await proof(requester, 'createApprovalRequest', digest) }],
      startWorkflowOperation: new WithStartWorkflowOperation(approvalWorkflowType, {
        ...approvalStartOptions(input),
        taskQueue: stack.env.TEMPORAL_TASK_QUEUE,
        workflowIdConflictPolicy: 'FAIL',
      }),
    });
    return { id: approval_id, digest };
  }

  /** Ends a request, outside of what is measured: a person has twenty open at most. */
  async function end(id: string): Promise<void> {
    const handle = client.workflow.getHandle(approvalWorkflowId(defaultTenantId, id));
    await handle.cancel();
    await handle.result();
  }

  return {
    async decideThroughApi(): Promise<number> {
      const { id, digest } = await open();
      const body = { digest, reason: null };
      const payload_digest = payloadDigest({ operation: 'approveRequest', params: { id }, body });
      const challengeId = await proof(approver, 'approveRequest', payload_digest);
      const binding = { ...approver, action: 'approveRequest', payload_digest };
      const { token } = await tokens.issue(binding, challengeId);
      const started = performance.now();
      const response = await fetch(`${stack.api.url}/admin/approvals/${id}/approve`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${approver.token}`,
          'content-type': 'application/json',
          'x-mfa-token': token,
        },
        body: JSON.stringify(body),
      });
      const text = await response.text();
      const elapsed = performance.now() - started;
      if (response.status !== 200) throw new Error(`The decision was refused: ${text}`);
      await end(id);
      return elapsed;
    },

    async decideBySdk(): Promise<number> {
      const { id, digest } = await open();
      const message = {
        actor: refOf(approver),
        roles: ['role-super-admin'],
        digest,
        reason: null,
        mfa_proof_id: await proof(approver, 'approveRequest', digest),
      };
      const handle = client.workflow.getHandle(approvalWorkflowId(defaultTenantId, id));
      const started = performance.now();
      await handle.executeUpdate(approveUpdate, { args: [message] });
      const elapsed = performance.now() - started;
      await end(id);
      return elapsed;
    },
  };
}

/** The two super admins of the sample data, each with a session of its own. */
async function adminsWithSessions(stack: BenchStack, admin: pg.Client): Promise<[BenchPerson, BenchPerson]> {
  const people = samplePeople
    .filter(({ role }) => role === 'role-super-admin')
    .map(({ id }) => ({ tenant_id: defaultTenantId, user_id: id, session_id: randomUUID() }));
  for (const person of people) await openBenchSession(admin, person);
  const [first, second] = await issueTokens(stack.env, people);
  if (first === undefined || second === undefined) throw new Error('The sample data have no two super admins.');
  return [first, second];
}

function refOf({ tenant_id, user_id, session_id }: BenchPerson): PersonRef {
  return { tenant_id, user_id, session_id, request_id: 'bench' };
}

/** Updates that the API has sent, from its own metrics. */
async function updatesCounted(stack: BenchStack): Promise<number> {
  const text = await (await fetch(`${stack.api.url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('castellan_workflow_updates'));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
