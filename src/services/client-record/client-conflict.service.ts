import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem, taken } from '../../platform/problem.ts';
import { decideModuleAccess } from '../identity/role/module-access.service.ts';
import type { ClientValues } from './client.payload.ts';

/** How a deleted client comes back. */
interface Restore {
  readonly method: 'POST';
  readonly path: string;
  readonly if_match: string;
}

/** The client that stands in the way. */
interface Existing {
  readonly client_id: string;
  readonly is_deleted: boolean;
  /** Null where it is not deleted, and for those who may not restore it. */
  readonly restore: Restore | null;
}

/** A conflict that says which client it is with. Only for those who may see clients. */
export function conflictWith(field: string, detail: string, existing: Existing): Problem {
  const { code, errors } = taken(field, detail);
  return new Problem({ code, detail: existing.restore === null ? detail : `${detail} Restore it instead.`, errors, members: { existing } });
}

/** Whether what is in the way may be told: which client it is, and whether it is deleted. */
export function seesClients(tx: Tx): Promise<boolean> {
  return may(tx, 'client:read');
}

async function may(tx: Tx, permission: 'client:read' | 'client:delete'): Promise<boolean> {
  return (await decideModuleAccess(tx, tx.actor, tx.actor, permission)).allowed;
}

/**
 * @param except the client whose number it may be.
 * @throws Problem 409; whoever may see the other client is told which it is, and how a deleted one comes back (S4-20).
 */
export async function assertNumberFree(tx: Tx, { cpf, cnpj }: Pick<ClientValues, 'cpf' | 'cnpj'>, except: string | null = null): Promise<void> {
  const field = cpf !== null ? 'cpf' : 'cnpj';
  const number = cpf ?? cnpj;
  if (number === null) return;
  const other = await tx.sql
    .selectFrom('clients')
    .where(field, '=', number)
    .$if(except !== null, (clients) => clients.where('id', '<>', except))
    .select(['id', 'deleted_at', 'merged_into_id', 'version'])
    .executeTakeFirst();
  if (other === undefined) return;
  const name = field.toUpperCase();
  // Who may not see clients learns only that the number cannot be used, which it would show in any case.
  if (!(await seesClients(tx))) throw taken(field, `There is a client with this ${name} already.`);
  const is_deleted = other.deleted_at !== null;
  const isRestorable = is_deleted && other.merged_into_id === null && (await may(tx, 'client:delete'));
  throw conflictWith(field, `There is a ${is_deleted ? 'deleted ' : ''}client with this ${name} already.`, {
    client_id: other.merged_into_id ?? other.id,
    is_deleted: is_deleted && other.merged_into_id === null,
    restore: isRestorable ? { method: 'POST', path: `/api/v1/clients/${other.id}/restore`, if_match: `"${other.version}"` } : null,
  });
}
