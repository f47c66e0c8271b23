import { sameJson } from '../shared/canonical.ts';
import type { AuditAction } from '../audit/audit-entry.ts';

/** A field before and after a change, redacted as the audit keeps it. */
export interface HistoryChange {
  readonly field: string;
  readonly before: unknown;
  readonly after: unknown;
}

const titles: Readonly<Record<string, string>> = {
  'client.create': 'Created',
  'client.update': 'Changed',
  'client.delete': 'Deleted',
  'client.restore': 'Restored',
  'client.read': 'Read',
  'client.reveal-cpf': 'CPF revealed',
  'client.read-history': 'History read',
  'client.merge': 'Merged',
  'client.unmerge': 'Merge undone',
  'client.transfer': 'Handed over',
  'client.erase': 'Erased',
  'client-data-request.open': 'Request for their data received',
  'client-data-request.read': 'Request for their data read',
  'client-data-request.refuse': 'Request for their data refused',
  'client-data-request.withdraw': 'Request for their data withdrawn',
  'client-data-request.remind': 'Staff reminded of a request for their data',
  'client-data-request.overdue': 'Staff told that a request for their data is overdue',
  'client-data-request.fulfil': 'Request for their data fulfilled',
  'client-data-request.download': 'File of everything held downloaded',
};

/** What happened, in words; of an event without words of its own, its name without the resource. */
export function titleOf(event: string): string {
  const words = event.slice(event.indexOf('.') + 1).replaceAll(/[-_.]/g, ' ');
  return titles[event] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

type Values = Readonly<Record<string, unknown>>;

function valuesOf(state: unknown): Values {
  return typeof state === 'object' && state !== null && !Array.isArray(state) ? (state as Values) : {};
}

/**
 * What an entry of the audit says of a record: the fields that changed, and everything else that was noted, such as the reason of a
 * reveal or what a deleted record said.
 */
export function historyValues(entry: { readonly action: AuditAction; readonly old_values: unknown; readonly new_values: unknown }): {
  changes: HistoryChange[];
  details: Values;
} {
  const [before, after] = [valuesOf(entry.old_values), valuesOf(entry.new_values)];
  if (entry.action === 'create') {
    const given = Object.entries(after).filter(([, value]) => value !== null);
    return { changes: given.map(([field, value]) => ({ field, before: null, after: value })), details: {} };
  }
  if (entry.action !== 'update') return { changes: [], details: { ...before, ...after } };
  const isField = (name: string) => name in before && name in after;
  const changes = Object.keys(after)
    .filter((name) => isField(name) && !sameJson(before[name], after[name]))
    .map((field) => ({ field, before: before[field], after: after[field] }));
  const noted = Object.entries({ ...before, ...after }).filter(([name]) => !isField(name));
  return { changes, details: Object.fromEntries(noted) };
}
