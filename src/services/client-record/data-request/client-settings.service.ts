import { LockMode } from '@mikro-orm/core';
import { defaultDataRequestSettings } from '../../../domain/client-record/data-request.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { ClientSettingsEntity } from '../../../entities/client-record/client-data-request.entity.ts';
import { toRow } from '../../../platform/database/entity-row.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem } from '../../../platform/problem.ts';
import { assertChanges, assertVersion, staleRow } from '../../../platform/row-version.ts';

const columns = ['data_request_days', 'reminder_days'] as const;

/** A tenant that has written nothing: version 0, on which the first change is based. */
const unwritten = { ...defaultDataRequestSettings, reminder_days: [...defaultDataRequestSettings.reminder_days], version: 0, updated_at: null };

/** How long the tenant has to answer requests of clients, the defaults included. */
export async function loadClientSettings(db: ReadSource, scope: ReadScope) {
  const query = kysely.selectFrom('client_settings').select([...columns, 'version', 'updated_at']);
  const [row] = await read(db, scope, query);
  return row ?? unwritten;
}

/** What a tenant sets. */
export interface ClientSettingsValues {
  readonly data_request_days: number;
  readonly reminder_days: readonly number[];
}

/**
 * Replaces the settings. Requests that are there keep their due dates and reminders.
 *
 * @throws Problem 412 for an older version, `resource.unchanged`.
 */
export async function replaceClientSettings(tx: Tx, version: number, { data_request_days, reminder_days }: ClientSettingsValues): Promise<void> {
  const row = await tx.em.findOne(ClientSettingsEntity, { tenant_id: tx.actor.tenant_id }, { lockMode: LockMode.PESSIMISTIC_WRITE });
  assertVersion(row ?? unwritten, version);
  const before = row === null ? defaultDataRequestSettings : toRow(row, columns);
  const after = { data_request_days, reminder_days: [...reminder_days].toSorted((one, other) => other - one) };
  assertChanges(before, after, 'setting');
  if (row === null) {
    await insertFirst(tx, after);
  } else {
    tx.em.assign(row, after);
    await tx.flush();
  }
  tx.audit({
    event: 'client_settings.update',
    action: 'update',
    resource_type: 'client_settings',
    resource_id: tx.actor.tenant_id,
    old_values: before,
    new_values: after,
  });
}

/** There is no row to lock yet, so the unique key tells that somebody else was first. */
async function insertFirst(tx: Tx, values: { data_request_days: number; reminder_days: number[] }): Promise<void> {
  const inserted = await tx.sql
    .insertInto('client_settings')
    .values({ ...values, tenant_id: tx.actor.tenant_id })
    .onConflict((conflict) => conflict.column('tenant_id').doNothing())
    .returning('id')
    .executeTakeFirst();
  if (inserted === undefined) throw new Problem(staleRow);
}
