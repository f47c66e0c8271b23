import type { JsonObject, JsonValue } from '../shared/canonical.ts';
import type { RemotePaging } from './integration.ts';
import { isTooDeep, unstorableParts } from '../shared/storable-json.ts';

/** A record of a remote system, to be stored in `integration_records`. */
export interface RemoteRecord {
  readonly external_id: string;
  readonly payload: JsonObject;
}

/** Why a record cannot be stored. */
export const recordFaults = ['no_object', 'no_id', 'id_too_long', 'too_large', 'unstorable', 'repeated'] as const;
export type RecordFault = (typeof recordFaults)[number];

/** A record that was not stored; named by its id where it has one, else by its position on the page. */
export interface RecordFailure {
  readonly external_id: string | null;
  readonly place: number;
  readonly reason: RecordFault;
}

/** One page of a remote system. */
export interface RemotePage {
  readonly records: readonly RemoteRecord[];
  readonly failures: readonly RecordFailure[];
  /** Where the next page begins; null after the last one. */
  readonly next_cursor: string | null;
}

export const recordLimits = { idLength: 200, payloadLength: 64 * 1024, cursorLength: 2_000 } as const;

/** The value at a JSON pointer (RFC 6901), or undefined when there is none. The empty pointer is the whole value. */
export function atPointer(value: JsonValue, pointer: string): JsonValue | undefined {
  if (pointer === '') return value;
  let found: JsonValue | undefined = value;
  for (const token of pointer.slice(1).split('/')) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as JsonObject)[name];
  }
  return found;
}

/** A text or number as text: remote systems use both for ids and cursors. Null for anything else. */
export function asIdentifier(value: JsonValue | undefined): string | null {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  return typeof value === 'string' && value !== '' ? value : null;
}

/**
 * Extracts the records of an answer. A record that cannot be stored is reported and does not affect the others.
 *
 * @returns null when the answer is no page: no list, or a cursor that is neither text, number nor null.
 */
export function readPage(answer: JsonValue, paging: RemotePaging): RemotePage | null {
  const items = atPointer(answer, paging.items_pointer);
  const given = atPointer(answer, paging.cursor_pointer) ?? null;
  const next_cursor = given === null || given === '' ? null : asIdentifier(given);
  const isCursor = given === null || given === '' || (next_cursor !== null && next_cursor.length <= recordLimits.cursorLength);
  if (!Array.isArray(items) || !isCursor) return null;
  return { ...partitionRecords(items as readonly JsonValue[], paging.id_pointer), next_cursor };
}

/** Separates the records that can be stored from those that cannot. */
export function partitionRecords(items: readonly JsonValue[], idPointer: string): Omit<RemotePage, 'next_cursor'> {
  const records = new Map<string, RemoteRecord>();
  const failures: RecordFailure[] = [];
  for (const [place, item] of items.entries()) {
    const external_id = asIdentifier(atPointer(item, idPointer));
    const reason = faultOf(item, external_id, records);
    if (reason === null && external_id !== null) records.set(external_id, { external_id, payload: item as JsonObject });
    else failures.push({ external_id: shortId(external_id), place, reason: reason ?? 'no_id' });
  }
  return { records: [...records.values()], failures };
}

function faultOf(item: JsonValue, id: string | null, accepted: ReadonlyMap<string, unknown>): RecordFault | null {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return 'no_object';
  if (id === null) return 'no_id';
  if (id.length > recordLimits.idLength) return 'id_too_long';
  if (accepted.has(id)) return 'repeated';
  if (isTooDeep(item)) return 'unstorable';
  if (JSON.stringify(item).length > recordLimits.payloadLength) return 'too_large';
  return unstorableParts(item).length > 0 ? 'unstorable' : null;
}

function shortId(id: string | null): string | null {
  if (id === null) return null;
  return id.slice(0, recordLimits.idLength).replaceAll('\u0000', '').toWellFormed();
}
