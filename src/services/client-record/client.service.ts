import { localDay } from '../../domain/shared/local-day.ts';
import { maskedCpf, maskedCpfPattern, writtenCpf } from '../../domain/shared/document-number.ts';
import { ClientEntity } from '../../entities/client-record/client.entity.ts';
import { now } from '../../entities/shared/column-types.ts';
import { toRow } from '../../platform/database/entity-row.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { ProblemIssue } from '../../platform/problem.ts';
import { assertChanges } from '../../platform/row-version.ts';
import { assertAllowed } from '../assignment/index.ts';
import { decideModuleAccess } from '../identity/role/module-access.service.ts';
import { assertNumberFree } from './client-conflict.service.ts';
import { lockOrigin } from './client-origin.service.ts';
import { clientColumns, lockClient, lockDeletedClient } from './client.repository.ts';
import type { ClientValues } from './client.payload.ts';
import { filterNames } from './client.queries.ts';

const resource_type = 'client';

/** What a client was made of, where it was. */
export interface ClientOrigin {
  readonly contact_id?: string | null;
  readonly prospect_id?: number | null;
}

/** What the tenant says about the clients it keeps. */
export interface ClientRules {
  /** Persons need a CPF, companies a CNPJ. */
  readonly needsNumber: boolean;
  /** The last birth date, `YYYY-MM-DD`. */
  readonly today: string;
}

/** @param nowMs milliseconds since the epoch. */
export async function clientRules(tx: Tx, nowMs: number): Promise<ClientRules> {
  const { id_document_type, time_zone } = await tx.sql
    .selectFrom('tenants')
    .where('id', '=', tx.actor.tenant_id)
    .select(['id_document_type', 'time_zone'])
    .executeTakeFirstOrThrow();
  return { needsNumber: id_document_type === 'cpf', today: localDay(nowMs, time_zone) };
}

type Numbered = Pick<ClientValues, 'kind' | 'cpf' | 'cnpj' | 'birth_date'>;

/** What is wrong with a client whose fields are valid one by one. */
export function clientIssues({ kind, cpf, cnpj, birth_date }: Numbered, { needsNumber, today }: ClientRules): ProblemIssue[] {
  const issues: ProblemIssue[] = [];
  const add = (field: string, detail: string) => issues.push({ pointer: `/${field}`, detail });
  if (kind === 'person') {
    if (cnpj !== null) add('cnpj', 'belongs to companies');
    if (cpf === null && needsNumber) add('cpf', 'is missing');
    if (birth_date === null) add('birth_date', 'is missing');
    else if (birth_date > today) add('birth_date', `must not be after today, ${today}`);
  } else {
    if (cpf !== null) add('cpf', 'belongs to persons');
    if (birth_date !== null) add('birth_date', 'belongs to persons');
    if (cnpj === null && needsNumber) add('cnpj', 'is missing');
  }
  return issues;
}

/**
 * Creates a client, of a contact where one is named.
 *
 * @param nowMs milliseconds since the epoch.
 * @throws Problem of {@link lockOrigin} and {@link insertClient}.
 */
export async function createClient(tx: Tx, values: ClientValues, contactId: string | null, nowMs: number): Promise<string> {
  if (contactId !== null) await lockOrigin(tx, { type: 'contact', id: contactId }, '/contact_id');
  return insertClient(tx, values, contactId === null ? {} : { contact_id: contactId }, nowMs);
}

/**
 * Writes a client whose origin, where it has one, is locked.
 *
 * @param nowMs milliseconds since the epoch.
 * @throws Problem 422 for fields that do not go together; 409 where another client of the tenant, a deleted one included, has the
 *   number, with the way to restore it for those who may (S4-20).
 */
export async function insertClient(tx: Tx, values: ClientValues, origin: ClientOrigin, nowMs: number): Promise<string> {
  const issues = clientIssues(values, await clientRules(tx, nowMs));
  if (issues.length > 0) throw invalidInput(issues);
  await assertNumberFree(tx, values);
  const client = tx.em.create(ClientEntity, { ...values, ...origin, created_by: tx.actor.user_id });
  await tx.flush();
  tx.audit({ event: 'client.create', action: 'create', resource_type, resource_id: client.id, new_values: { ...values, ...origin } });
  return client.id;
}

/** The answers to some changes show the record, which a right to change it does not include in the module. */
async function assertSees(tx: Tx): Promise<void> {
  assertAllowed(await decideModuleAccess(tx, tx.actor, tx.actor, 'client:read'), 'client:read');
}

/** What a change says; what is undefined stays. */
export type ClientChanges = Partial<Omit<ClientValues, 'kind'>>;

/**
 * Changes a client.
 *
 * @param nowMs milliseconds since the epoch.
 * @throws Problem `auth.forbidden` for those who may not see it, 404, 412 for an older version, 409 and 422 like {@link createClient}, `resource.unchanged`.
 */
export async function updateClient(tx: Tx, id: string, version: number, given: ClientChanges, nowMs: number): Promise<void> {
  await assertSees(tx);
  const client = await lockClient(tx, id, version);
  const before = toRow(client, clientColumns);
  const changes = { ...given, ...shownCpfKept(given.cpf, before.cpf) };
  assertChanges(before, changes, 'client');
  const after = { ...before, ...withoutUndefined(changes) };
  const issues = clientIssues(after, await clientRules(tx, nowMs));
  if (issues.length > 0) throw invalidInput(issues);
  if (after.cpf !== before.cpf || after.cnpj !== before.cnpj) await assertNumberFree(tx, after, id);
  tx.em.assign(client, withoutUndefined(changes));
  await tx.flush();
  tx.audit({ event: 'client.update', action: 'update', resource_type, resource_id: id, old_values: before, new_values: after });
}

function withoutUndefined<Values extends object>(values: Values): { [Key in keyof Values]: Exclude<Values[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof Values]: Exclude<Values[Key], undefined>;
  };
}

/** The number in the form in which it is shown means that it stays. @throws Problem 422 for the shown form of another number. */
function shownCpfKept(given: string | null | undefined, present: string | null): { cpf?: string | null } {
  if (given == null || !maskedCpfPattern.test(given)) return {};
  if (present !== null && maskedCpf(present) === given) return { cpf: present };
  throw invalidInput([{ pointer: '/cpf', detail: 'is masked; send all digits to change it' }]);
}

/** Deletes a client; the row stays and keeps its number (S4-20). @throws Problem 404, 412 for an older version. */
export async function deleteClient(tx: Tx, id: string, version: number): Promise<void> {
  const client = await lockClient(tx, id, version);
  tx.em.assign(client, { deleted_at: now() });
  await tx.flush();
  tx.audit({ event: 'client.delete', action: 'delete', resource_type, resource_id: id, old_values: toRow(client, clientColumns) });
}

/** Brings a deleted client back. @throws Problem `auth.forbidden`, 404, 412 for an older version, `client.not-restorable`. */
export async function restoreClient(tx: Tx, id: string, version: number): Promise<void> {
  await assertSees(tx);
  const client = await lockDeletedClient(tx, id, version);
  const { deleted_at } = client;
  tx.em.assign(client, { deleted_at: null });
  await tx.flush();
  tx.audit({
    event: 'client.restore',
    action: 'update',
    resource_type,
    resource_id: id,
    old_values: { deleted_at },
    new_values: { deleted_at: null },
  });
}

/** The full numbers of a client, for one answer; every access is audited with its reason (S4-23). @throws Problem 404. */
export async function revealClient(tx: Tx, id: string, reason: string) {
  const client = await tx.sql.selectFrom('clients').where('id', '=', id).where('erased_at', 'is', null).select('cpf').executeTakeFirst();
  if (client === undefined) throw notFound('client');
  if (client.cpf === null) throw new Problem({ code: 'client.no-cpf', detail: 'There is no CPF of this client.' });
  tx.audit({ event: 'client.reveal-cpf', action: 'read', resource_type, resource_id: id, new_values: { reason } });
  return { id, cpf: client.cpf, written: writtenCpf(client.cpf) };
}

/** Records that somebody has read a client (S4-23). */
export function auditRead(tx: Tx, id: string): void {
  tx.audit({ event: 'client.read', action: 'read', resource_type, resource_id: id });
}

/** Records that somebody has read a list of clients: one entry, with the count (S4-23) and the names of what was looked for. */
export function auditList(tx: Tx, { items }: { readonly items: readonly unknown[] }, filter: object): void {
  tx.audit({
    event: 'client.list',
    action: 'read',
    resource_type,
    resource_id: null,
    new_values: { count: items.length, filters: filterNames(filter) },
  });
}

