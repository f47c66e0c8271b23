import type { z } from 'zod';
import type { ClientExportFilters } from '../../domain/client-record/client-export.ts';
import { unknownReference } from '../../platform/input-issues.ts';
import { Problem } from '../../platform/problem.ts';
import { defineAction } from '../actions/action.ts';
import { subjectName } from '../actions/subject-names.queries.ts';
import { clientExportFullPayload } from './client-export.payload.ts';
import { countExported } from './client-export.queries.ts';
import { assertMayTakeOut, createExport } from './client-export.service.ts';

type Payload = z.output<typeof clientExportFullPayload>;

/**
 * Lets its requester fetch clients with their full CPF for a day. One person alone never takes the numbers out; what is approved is
 * the right to fetch, and the file is made of what is there at that time.
 */
export const clientExportFull = defineAction<Payload>({
  name: 'client.export-full',
  title: 'Export client records with full CPF',
  permission: 'client:reveal-cpf',
  payload: clientExportFullPayload,
  madeByRoute: ['requested_by'],
  unwrittenGate: 'approval',
  floor: () => 'approval',
  environment: () => null,
  reason: ({ reason }) => reason,
  describe: ({ filters }) => `Export ${kindOf(filters)} with their full CPF.`,
  present: async (db, scope, { filters }) => {
    const { count, is_exact } = await countExported(db, scope, filters);
    const { created_by, created_from, created_to } = filters;
    const narrowed = {
      'created by': created_by === null ? null : await subjectName(db, scope, 'user', created_by),
      'created from': created_from,
      'created before': created_to,
    };
    const many = `${is_exact ? '' : 'more than '}${count.toLocaleString('en')}`;
    const who = Object.values(narrowed).some((value) => value !== null) ? 'those that match the filters' : 'all of them';
    return {
      description: `Export ${kindOf(filters)} with their full CPF, ${who}: ${many} at present. The requester can fetch the file for a day.`,
      changes: Object.entries(narrowed).flatMap(([field, after]) => (after === null ? [] : [{ field, before: null, after }])),
    };
  },
  check: async (tx, { filters: { created_by } }) => {
    await assertMayTakeOut(tx);
    if (created_by === null) return;
    const user = await tx.sql.selectFrom('users').where('id', '=', created_by).select('id').executeTakeFirst();
    if (user === undefined) throw unknownReference('/filters/created_by', 'user');
  },
  execute: async (tx, { filters, reason }, authority) => {
    const { user_id } = tx.actor;
    // The gate has a floor, so nothing else than an approved request of a person gets here.
    if (authority.kind !== 'approval' || user_id === null) throw new Problem({ code: 'approval.required', detail: 'This needs an approved request.' });
    await assertMayTakeOut(tx);
    return { export_id: await createExport(tx, user_id, { filters, reason, approval_id: authority.approval_id }) };
  },
  undo: () => null,
});

function kindOf({ state, kind }: ClientExportFilters): string {
  const kinds = { person: 'persons', company: 'companies' } as const;
  return `${state === 'deleted' ? 'deleted ' : ''}client records${kind === null ? '' : ` of ${kinds[kind]}`}`;
}
