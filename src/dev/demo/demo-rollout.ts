import { ProblemError } from '../../sdk/index.ts';
import { prove, say, waitFor } from './demo-caller.ts';
import type { Caller } from './demo-caller.ts';
import type { DemoCompany } from './demo-company.ts';

const environment = 'development' as const;

/**
 * A configuration that is rolled out to half of the instances, and taken back by a guard that finds it bad: everybody has
 * the version before again, without anybody acting.
 */
export async function showRollout(first: Caller, second: Caller, company: DemoCompany): Promise<void> {
  const base = (await running(first)) ?? (await deployFirst(second));
  company.verdict = 'bad';
  const { adminApi } = first.client;
  const change = {
    environment,
    base_version: base.version,
    document: { checkout: { retries: 99 } },
    plan: {
      strategy: { kind: 'custom' as const, stages: [{ percentage: 50, bake_seconds: 20 }, { percentage: 100, bake_seconds: 20 }] },
      guards: [{ name: 'orders', source: { kind: 'webhook' as const, url: `${company.url}/verdict` } }],
      check_interval_seconds: 5,
    },
  };
  const outcome = await prove(first, (proof) =>
    adminApi.proposeConfigChange({ changes: [change], reason: 'Demonstration' }, proof),
  );
  if (outcome.kind !== 'done') throw new Error(`A policy asks for approval in ${environment}.`);
  const [deployment] = outcome.result.deployments;
  say(`${first.person.full_name} rolls a configuration out to half of ${environment}, watched by a guard`, {
    'from version': base.version,
    'to version': deployment?.config_version ?? 0,
    guard: 'orders, asked every five seconds',
  });
  const ended = await settled(first, deployment?.id ?? '');
  if (ended.status !== 'restored') throw new Error(`The rollout is ${ended.status}.`);
  const after = await running(first);
  if (after?.version !== base.version) throw new Error(`Version ${after?.version} runs instead of ${base.version}.`);
  say('The guard finds it bad; the workflow gives everybody the version before', {
    rollout: ended.status,
    runs: `version ${after.version}`,
  });
}

async function running({ client }: Caller) {
  const { items } = await client.adminApi.getEnvironmentConfig({ environment });
  return items[0]?.running ?? null;
}

/** On a new stack there is nothing to go back to yet. */
async function deployFirst(caller: Caller) {
  const change = {
    environment,
    base_version: null,
    schema: { type: 'object', properties: { checkout: { type: 'object' } } },
    document: { checkout: { retries: 3 } },
  };
  const outcome = await prove(caller, (proof) =>
    caller.client.adminApi.proposeConfigChange({ changes: [change], reason: 'Demonstration' }, proof),
  );
  if (outcome.kind !== 'done') throw new Error(`A policy asks for approval in ${environment}.`);
  await settled(caller, outcome.result.deployments[0]?.id ?? '');
  const deployed = await running(caller);
  if (deployed === null) throw new Error(`Nothing runs in ${environment}.`);
  say(`${caller.person.full_name} gives ${environment} its first configuration`, { version: deployed.version });
  return deployed;
}

/** How a deployment ended. */
function settled({ client }: Caller, id: string) {
  return waitFor('The rollout', async () => {
    const { data, error } = await client.http.GET('/admin/deployments/{id}', { params: { path: { id } } });
    if (data === undefined) throw new ProblemError(error);
    return data.ended_at === null ? null : data;
  });
}
