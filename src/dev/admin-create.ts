import { randomUUID } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { performance } from 'node:perf_hooks';
import { accountLinkUrl } from '../domain/identity/account-link-url.ts';
import { defaultTenantId, systemActor } from '../domain/shared/actor.ts';
import type { Actor } from '../domain/shared/actor.ts';
import { entities } from '../entities/index.ts';
import { openDatabase } from '../platform/database/database.ts';
import type { Database } from '../platform/database/database.ts';
import { unitOfWork } from '../platform/database/unit-of-work.ts';
import { loadEnv } from '../platform/env.ts';
import type { Env } from '../platform/env.ts';
import { createLogger } from '../platform/observability/logger.ts';
import { createMetrics } from '../platform/observability/metrics.ts';
import { Problem } from '../platform/problem.ts';
import { payloadCodecOf } from '../platform/temporal/payload-codec.ts';
import { createTemporalClient } from '../platform/temporal/temporal-client.ts';
import type { TemporalClient } from '../platform/temporal/temporal-client.ts';
import { revokeAccountLinks } from '../services/identity/account-link/account-link.repository.ts';
import { nameFirstAdministrators, nameForRecovery } from '../services/identity/account-link/administrator-naming.service.ts';
import type { NamedAdministrator } from '../services/identity/account-link/administrator-naming.service.ts';
import { notifyRecoveryIssued } from '../services/identity/account-link/administrator-notification.service.ts';
import { findOrOpenTenant, findTenant } from '../services/identity/tenant-opening.service.ts';
import type { FoundTenant } from '../services/identity/tenant-opening.service.ts';
import { ownTenant } from '../services/identity/tenant.queries.ts';
import { ArgumentsError, parseAdminCreate, usage } from './admin-create-arguments.ts';
import type { AdminCreateOrder } from './admin-create-arguments.ts';
import { errorCode, startupMessage } from './startup-error.ts';

/** What the command refuses; the message says why and what to do. Nothing was changed. */
class Refusal extends Error {
  override readonly name = 'Refusal';
}

type Deps = { readonly env: Env; readonly db: Database; readonly temporal: TemporalClient };

/** SQL states of a table or function that is missing: the migrations have not run. */
const unmigratedCodes = new Set(['42P01', '42883']);

function print(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** The operator, as far as the system knows one: the audit has it as the agent of the change. */
function operatorActor(tenantId: string): Actor {
  return { ...systemActor(tenantId, { request_id: randomUUID() }), user_agent: `admin:create, ${operatorName()}` };
}

function operatorName(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // In containers the account may have a number and no name.
    return hostname();
  }
}

/** The tenant of the order; only naming the first administrators creates one. */
async function resolveTenant({ db }: Deps, { tenant: domain, tenant_name, recover }: AdminCreateOrder): Promise<FoundTenant> {
  const platform = operatorActor(defaultTenantId);
  if (domain === null) return ownTenant(db, platform);
  if (recover) {
    const found = await unitOfWork(db, platform, (tx) => findTenant(tx, domain));
    if (found === undefined) throw new Refusal(`There is no tenant ${domain}.`);
    return found;
  }
  const { tenant, is_new } = await unitOfWork(db, platform, (tx) => findOrOpenTenant(tx, { domain, name: tenant_name ?? domain }));
  if (is_new) print(`The tenant ${tenant.name} (${tenant.domain}) was created.`);
  return tenant;
}

function namingRun(env: Env, { id }: FoundTenant, { expires_minutes }: AdminCreateOrder, started_at: number) {
  const links_by_address = [...env.OIDC_PROVIDERS, ...env.TRUSTED_ISSUERS].some(({ tenant_id }) => tenant_id === id);
  return { started_at, now: Date.now(), expires_minutes, links_by_address };
}

async function nameFirst(deps: Deps, tenant: FoundTenant, order: AdminCreateOrder, started_at: number): Promise<NamedAdministrator[]> {
  const run = namingRun(deps.env, tenant, order, started_at);
  const { named, dropped } = await unitOfWork(deps.db, operatorActor(tenant.id), (tx) =>
    nameFirstAdministrators(tx, order.people, run),
  );
  if (dropped.length > 0) print(`Named before, and not any more: ${dropped.join(', ')} (their links are void).`);
  return named;
}

/**
 * The link is given only when the administrators were told: whoever has the machine must not become administrator in
 * silence.
 */
async function recover(deps: Deps, tenant: FoundTenant, order: AdminCreateOrder, started_at: number): Promise<NamedAdministrator[]> {
  const [person] = order.people;
  if (person === undefined) throw new ArgumentsError('--email: is missing');
  const problem = await deps.temporal.namespaceProblem();
  if (problem !== undefined) {
    throw new Refusal(`The administrators could not be told: ${problem}. Nothing was changed.`);
  }
  const actor = operatorActor(tenant.id);
  const run = namingRun(deps.env, tenant, order, started_at);
  const named = await unitOfWork(deps.db, actor, (tx) => nameForRecovery(tx, person, run));
  try {
    await notifyRecoveryIssued(deps, actor, named, 'operator');
  } catch (error) {
    await unitOfWork(deps.db, actor, (tx) => revokeAccountLinks(tx, { user_id: named.user_id }));
    throw new Refusal(`The administrators could not be told, so no link is given: ${startupMessage(error)}`);
  }
  print('All administrators of the tenant are told by mail, and once more when the link is used.');
  return [named];
}

function printLinks(env: Env, tenant: FoundTenant, named: readonly NamedAdministrator[], { expires_minutes }: AdminCreateOrder): void {
  for (const { email, is_new, token, expires_at } of named) {
    const link = accountLinkUrl(env.PUBLIC_URL, token);
    print('', `${email}, ${is_new ? 'a new account' : 'an existing account'} of ${tenant.name} (${tenant.domain}):`, '', `  ${link}`);
    print('', `Valid for ${expires_minutes} minutes, until ${expires_at.replace(/\.\d+Z$/, 'Z')}, and once.`);
  }
  print(
    '',
    'Open the link in a browser, choose a password and set up an authenticator app. Until then a new account lets nobody in,',
    'and an existing one stays as it is.',
    'Whoever has the link gets the account: hand it over where only its person reads it, and do not keep this output.',
  );
}

async function run(order: AdminCreateOrder, env: Env): Promise<void> {
  const started_at = performance.timeOrigin;
  // Standard output is for the person at the terminal.
  const log = createLogger({ level: 'error', name: 'admin-create', destination: process.stderr });
  const db = await openDatabase({ env, entities, log, applicationName: 'castellan-admin-create' });
  // Connects at the first call, which only a recovery makes: the first administrator needs no Temporal.
  const temporal = createTemporalClient(env, createMetrics('api'), payloadCodecOf(env));
  const deps = { env, db, temporal };
  try {
    const tenant = await resolveTenant(deps, order);
    if (tenant.status !== 'active') throw new Refusal(`The tenant ${tenant.domain} is suspended: its people cannot sign in. Resume it first.`);
    const named = await (order.recover ? recover : nameFirst)(deps, tenant, order, started_at);
    printLinks(env, tenant, named, order);
  } finally {
    await Promise.allSettled([temporal.close(), db.close()]);
  }
}

/** What the person at the terminal reads of an error; never a stack. */
function explain(error: unknown): string {
  if (error instanceof ArgumentsError) return `${error.message}\n\n${usage}`;
  if (error instanceof Problem || error instanceof Refusal) return `Refused: ${error.message}`;
  if (unmigratedCodes.has(errorCode(error) ?? '')) return 'The database is not migrated: npm run migrate comes first.';
  return error instanceof Error && error.name === 'EnvError' ? error.message : startupMessage(error);
}

if (import.meta.main) {
  try {
    await run(parseAdminCreate(process.argv.slice(2)), loadEnv());
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = 1;
  }
}
