import { stringify } from 'csv-stringify/sync';
import { exportLifeMs } from '../../domain/client-record/client-export.ts';
import type { ClientExportFilters } from '../../domain/client-record/client-export.ts';
import { can } from '../../domain/identity/access.ts';
import { writtenCnpj, writtenCpf } from '../../domain/shared/document-number.ts';
import { timestampText } from '../../domain/shared/timestamp-text.ts';
import { ClientExportEntity } from '../../entities/client-record/client-export.entity.ts';
import { now } from '../../entities/shared/column-types.ts';
import { lockOne } from '../../platform/database/entity-row.ts';
import type { ReadScope } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { assertAllowed } from '../assignment/index.ts';
import { ownRights } from '../identity/role/effective-rights.service.ts';
import { addressCells, clientCsvColumns } from './client-csv.ts';
import { filterOf, fullCpfs } from './client-export.queries.ts';
import { filterNames, listClients } from './client.queries.ts';
import type { ClientFilter } from './client.queries.ts';

const resource_type = 'client_export';

/** Rows that are read at a time. */
const pageRows = 1_000;

/** The columns of the import, between what tells the client and when it was made. */
const exportColumns = ['id', ...clientCsvColumns, 'created_at'];

type Deps = Pick<ProcessDeps, 'db'>;
type ShownClient = Awaited<ReturnType<typeof listClients>>['items'][number];

/**
 * The clients that match as CSV, with a header and page by page in the order of the list: CPF as lists show it. Cells that begin like
 * a formula are guarded. Erased clients are in no file.
 */
export function exportClients({ db }: Deps, scope: ReadScope, filter: ClientFilter): AsyncGenerator<string> {
  return csvOf({ db }, scope, { ...filter, erased: false }, async (clients) => clients);
}

/**
 * {@link exportClients} with full CPF, for a file that {@link openExportFile} has opened. The numbers of a page are read after it:
 * who was erased in between is left out.
 */
export function exportFullClients({ db }: Deps, scope: ReadScope, filters: ClientExportFilters): AsyncGenerator<string> {
  return csvOf({ db }, scope, filterOf(filters), async (clients) => {
    const numbers = await fullCpfs(db, scope, clients.map(({ id }) => id));
    return clients.flatMap((client) => {
      const cpf = numbers.get(client.id);
      return cpf === undefined ? [] : [{ ...client, cpf: cpf === null ? null : writtenCpf(cpf) }];
    });
  });
}

async function* csvOf(
  { db }: Deps,
  scope: ReadScope,
  filter: ClientFilter,
  complete: (clients: readonly ShownClient[]) => Promise<readonly ShownClient[]>,
): AsyncGenerator<string> {
  yield stringify([exportColumns]);
  for (let cursor: string | undefined, isLast = false; !isLast; ) {
    const page = await listClients(db, scope, { ...filter, limit: pageRows, cursor });
    const rows = (await complete(page.items)).map(({ address, cnpj, ...client }) => ({
      ...client,
      // As people write it; of digits alone a spreadsheet makes a number and loses the last ones.
      cnpj: cnpj === null ? null : writtenCnpj(cnpj),
      ...addressCells(address),
    }));
    yield stringify(rows, { columns: exportColumns, escape_formulas: true });
    cursor = page.next_cursor ?? undefined;
    isLast = cursor === undefined;
  }
}

/** Records that somebody is about to read an export: which filters, not how many clients, which only its end tells. */
export function auditExport(tx: Tx, { state = 'active', ...filter }: ClientFilter): void {
  tx.audit({
    event: 'client.export',
    action: 'read',
    resource_type,
    resource_id: null,
    new_values: { state, filters: filterNames(filter) },
  });
}

/**
 * Full numbers leave the system with two rights: to see them and to export. They are read from the database, for the person in whose
 * name the change is made or the file is fetched.
 *
 * @throws Problem `auth.forbidden` with the missing one.
 */
export async function assertMayTakeOut(tx: Tx): Promise<void> {
  const rights = await ownRights(tx);
  for (const permission of ['client:reveal-cpf', 'client:export'] as const) assertAllowed(can(rights, permission), permission);
}

/** An approved export of clients with full CPF. */
interface ApprovedExport {
  readonly filters: ClientExportFilters;
  readonly reason: string;
  readonly approval_id: string;
}

/** Lets the acting person fetch the file of an approved request for a day. */
export async function createExport(tx: Tx, requestedBy: string, approved: ApprovedExport): Promise<string> {
  const expires_at = timestampText(Date.now() + exportLifeMs);
  const row = tx.em.create(ClientExportEntity, { ...approved, requested_by: requestedBy, expires_at });
  await tx.flush();
  const new_values = { ...approved, expires_at };
  tx.audit({ event: 'client.export-approved', action: 'create', resource_type, resource_id: row.id, new_values });
  return row.id;
}

/**
 * Opens the file of an approved export for its requester; each time is counted and audited with the reason.
 *
 * @param nowMs milliseconds since the epoch.
 * @returns which clients it holds.
 * @throws Problem `auth.forbidden`, 404, also for those of others, and `client.export-expired`.
 */
export async function openExportFile(tx: Tx, id: string, nowMs: number): Promise<ClientExportFilters> {
  await assertMayTakeOut(tx);
  const row = await lockOne(tx, ClientExportEntity, { id, requested_by: tx.actor.user_id ?? '' }, 'client export');
  if (Date.parse(row.expires_at) <= nowMs) {
    throw new Problem({ code: 'client.export-expired', detail: 'The file could be fetched for a day. Request a new export.' });
  }
  tx.em.assign(row, { downloads: row.downloads + 1, last_downloaded_at: now() });
  await tx.flush();
  const { reason, downloads, filters } = row;
  tx.audit({ event: 'client.export-full', action: 'read', resource_type, resource_id: id, new_values: { reason, downloads } });
  return filters;
}
