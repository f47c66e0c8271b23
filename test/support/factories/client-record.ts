import { randomInt, randomUUID } from 'node:crypto';
import { realisticClient, seededDraw } from '../../../src/dev/realistic-clients.ts';
import type { ClientKind } from '../../../src/domain/client-record/client.ts';
import { exportLifeMs } from '../../../src/domain/client-record/client-export.ts';
import type { ClientExportFilters } from '../../../src/domain/client-record/client-export.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { jsonb } from '../../../src/platform/database/jsonb.ts';
import { cpfOf, isCpf } from '../document-numbers.ts';
import { fromNow, hour } from './defaults.ts';
import { createApproval, createApprovalPayload } from './approval.ts';
import { insertRow } from './row-insertion.ts';
import type { Columns, Given, NewRow, Row, Target } from './row-insertion.ts';

/** A valid CPF, drawn. */
export function someCpf(): string {
  const cpf = cpfOf(String(randomInt(1, 999_999_999)).padStart(9, '0'));
  return isCpf(cpf) ? cpf : someCpf();
}

export function newClient(columns: Columns<'clients'> = {}): NewRow<'clients'> {
  return { id: randomUUID(), tenant_id: defaultTenantId, name: 'Some Client', cpf: someCpf(), birth_date: '1980-05-17', ...columns };
}

/** A person with a CPF (S4-11). */
export function createClientRecord(target: Target, columns?: Columns<'clients'>): Promise<Row<'clients'>> {
  return insertRow(target, 'clients', newClient(columns));
}

const draw = seededDraw(randomInt(2 ** 32));

/** A client as an office writes them down (S4-11): name, number, birth date and, mostly, ways to reach them. */
export function newRealisticClient(columns: Columns<'clients'> = {}, kind: ClientKind = 'person'): NewRow<'clients'> {
  return { tenant_id: defaultTenantId, ...realisticClient(draw, kind), ...columns };
}

/** An open request of a client about their data. */
export function createClientDataRequest(target: Target, columns: Given<'client_data_requests', 'client_id'>): Promise<Row<'client_data_requests'>> {
  return insertRow(target, 'client_data_requests', {
    id: randomUUID(),
    tenant_id: defaultTenantId,
    kind: 'access',
    received_on: '2026-11-20',
    due_on: '2026-12-05',
    reminder_days: [5, 1],
    ...columns,
  });
}

/** A merge of two clients that was undone, so that both are there. */
export async function createClientMerge(target: Target, columns: Columns<'client_merges'> = {}): Promise<Row<'client_merges'>> {
  const [client, merged] = [await createClientRecord(target), await createClientRecord(target)];
  const undone = { taken_fields: [], moved: {}, undo_until: fromNow(30 * 24 * hour), undone_at: fromNow(0), values_cleared_at: fromNow(0) };
  return insertRow(target, 'client_merges', { tenant_id: defaultTenantId, client_id: client.id, merged_id: merged.id, ...undone, ...columns });
}

/** An approved export of clients with full CPF, which its requester can fetch for a day. */
export async function createClientExport(
  target: Target,
  requested_by: string,
  { reason = 'a test', ...filters }: Partial<ClientExportFilters> & { readonly reason?: string } = {},
): Promise<Row<'client_exports'>> {
  const { digest } = await createApprovalPayload(target);
  const executed = { status: 'executed', executed_at: fromNow(0), closed_at: fromNow(0) } as const;
  const approval = await createApproval(target, { digest, requested_by, action: 'client.export-full', ...executed });
  return insertRow(target, 'client_exports', {
    tenant_id: defaultTenantId,
    requested_by,
    approval_id: approval.id,
    filters: jsonb({ state: 'active', kind: null, created_by: null, created_from: null, created_to: null, ...filters }),
    reason,
    expires_at: fromNow(exportLifeMs / 1_000),
  });
}
