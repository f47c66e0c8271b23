import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { sameJson } from '../domain/shared/canonical.ts';
import { Problem } from './problem.ts';

/** The strong entity tag of a versioned resource (RFC 9110 section 8.8.3). */
export function versionEtag(version: number): string {
  return `"${version}"`;
}

/** Tags are compared as they are written (RFC 9110 section 8.8.3.2), so a version has one spelling: `"01"` is no tag of ours. */
const versionTag = /^"(0|[1-9]\d{0,8})"$/;

/**
 * The version that an If-Match header names.
 *
 * @throws Problem 428 when the header is missing, 412 when it is weak or no version of ours.
 */
export function expectedVersion(ifMatch: string | null): number {
  if (ifMatch === null) {
    throw new Problem({
      code: 'resource.version-required',
      detail: 'Send If-Match with the ETag you have read, so that nobody’s change is lost.',
    });
  }
  const version = versionTag.exec(ifMatch)?.[1];
  if (version === undefined) {
    throw new Problem({
      code: 'resource.version-mismatch',
      detail: 'If-Match must be the strong ETag of this resource, as it was returned.',
    });
  }
  return Number(version);
}

/**
 * Refuses a change that was built on another version of a row. Call it with the row locked.
 *
 * @param version that the caller has read
 * @returns the row, so that it can stand around the load: `assertVersion(await lockOne(…), version)`.
 * @throws Problem `resource.version-mismatch` with `current_version`.
 */
export function assertVersion<Row extends { readonly version: number }>(row: Row, version: number): Row {
  if (row.version === version) return row;
  throw new Problem({ ...staleRow, members: { current_version: row.version } });
}

/**
 * Refuses a change that leaves everything as it is, so that it makes neither a version nor an entry in a history: the route
 * answers 200 with what is there (U-22).
 *
 * @param changes what is left out, or undefined, stays.
 * @throws Problem `resource.unchanged`.
 */
export function assertChanges(before: object, changes: object, thing: string): void {
  const present = before as Readonly<Record<string, unknown>>;
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  if (given.some(([name, value]) => !sameJson(value, present[name]))) return;
  throw new Problem({ code: 'resource.unchanged', detail: `The ${thing} is like this already.` });
}

/**
 * The version of a row after a write by typed SQL, e.g. `.set({ ...changes, version: nextVersion() })`. An entity counts its
 * versions itself (`versionedColumns`).
 *
 * @param table needed in `on conflict do update`, where the name of the column alone is ambiguous
 */
export function nextVersion(table?: string): RawBuilder<number> {
  return sql<number>`${sql.ref(table === undefined ? 'version' : `${table}.version`)} + 1`;
}

/** The problem of a write that was based on an older version. */
export const staleRow = {
  code: 'resource.version-mismatch',
  detail: 'The resource has changed since it was read. Read it again and repeat the change.',
} as const;
