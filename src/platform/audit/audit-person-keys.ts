import { createSecretKey, randomUUID } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { sql } from 'kysely';
import type { QueryExecutorProvider } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { AuditPrivate, SealedPart } from '../../domain/audit/audit-entry.ts';
import { partKey, personKeyBytes } from './audit-seal.ts';
import type { Invalidation } from '../database/invalidation.ts';
import { SealedValueError } from '../security/keyring.ts';
import type { Keyring } from '../security/keyring.ts';
import type { Logger } from '../observability/logger.ts';
import { fewRandomBytes } from '../security/random.ts';
import { rawQuery } from '../database/raw-sql.ts';
import { read } from '../database/read.ts';
import type { ReadConnections } from '../database/read.ts';

/** Kind of the invalidation event of a destroyed key; the key of the event is `<tenant>/<person>`. */
export const personKeyEvent = 'person-key';

/** The keys of some persons; null for one whose key was destroyed. */
export type PersonKeyMap = ReadonlyMap<string, KeyObject | null>;

interface KeyRow {
  readonly id: string;
  readonly person_id: string;
  readonly key_ciphertext: string | null;
}

const maxCachedKeys = 20_000;
/** A destroyed key in the cache, which holds no null. */
const destroyed = 'destroyed';

/**
 * The keys under which the audit seals what it holds about persons, each sealed itself under the keyring. Destroying a
 * key makes everything that it sealed unreadable, in the log, in archives and in every backup without the key table,
 * while all of it still verifies.
 */
export class PersonKeys {
  readonly #keyring: Keyring;
  readonly #invalidation: Invalidation;
  readonly #log: Logger;
  readonly #known = new LRUCache<string, KeyObject | typeof destroyed>({ max: maxCachedKeys });
  /** Counts what has invalidated keys, so that a key read before is not cached after it. */
  #changes = 0;

  constructor(keyring: Keyring, invalidation: Invalidation, log: Logger) {
    this.#keyring = keyring;
    this.#invalidation = invalidation;
    this.#log = log;
    invalidation.subscribe(({ kind, key }) => {
      if (kind === personKeyEvent || kind === '*') this.#changes += 1;
      if (kind === personKeyEvent) this.#known.delete(key);
      if (kind === '*') this.#known.clear();
    });
  }

  /**
   * The keys to seal with, made where there are none yet. Runs inside the transaction that appends the entries; a new
   * key is not cached before another transaction has read it as committed.
   */
  async forWriting(tx: QueryExecutorProvider, tenantId: string, personIds: readonly string[]): Promise<PersonKeyMap> {
    const { keys, unknown, changes } = await this.#cached(tenantId, personIds);
    if (unknown.length === 0) return keys;
    const find = async (ids: readonly string[]) => {
      const query = sql<KeyRow>`select id, person_id, key_ciphertext from audit_person_keys
        where tenant_id = ${tenantId} and person_id = any(${ids}::uuid[])`;
      return (await query.execute(tx)).rows;
    };
    for (const row of await find(unknown)) keys.set(row.person_id, this.#cache(tenantId, row, changes));
    // In order, so that two transactions with the same new persons cannot deadlock.
    const missing = unknown.filter((id) => !keys.has(id)).toSorted();
    if (missing.length === 0) return keys;
    const made = missing.map((person_id) => this.#make(person_id));
    const query = sql<{ person_id: string }>`insert into audit_person_keys (id, tenant_id, person_id, key_ciphertext)
      select r.id, ${tenantId}, r.person_id, r.key_ciphertext
      from unnest(${made.map(({ id }) => id)}::uuid[], ${missing}::uuid[], ${made.map((key) => key.key_ciphertext)}::text[])
        as r(id, person_id, key_ciphertext)
      order by r.person_id
      on conflict do nothing
      returning person_id`;
    const ours = new Set((await query.execute(tx)).rows.map(({ person_id }) => person_id));
    for (const { person_id, key } of made) if (ours.has(person_id)) keys.set(person_id, key);
    const theirs = missing.filter((id) => !ours.has(id));
    if (theirs.length > 0) for (const row of await find(theirs)) keys.set(row.person_id, this.#open(row));
    return keys;
  }

  /** The keys to open with; a person without one is not in the map. */
  async forReading(
    db: ReadConnections,
    tenantId: string,
    personIds: readonly string[],
  ): Promise<PersonKeyMap> {
    const { keys, unknown, changes } = await this.#cached(tenantId, personIds);
    if (unknown.length === 0) return keys;
    const text = `select id, person_id, key_ciphertext from audit_person_keys
      where tenant_id = $1 and person_id = any($2::uuid[])`;
    const query = rawQuery<KeyRow>(text, [tenantId, unknown]);
    for (const row of await read(db, { tenant_id: tenantId, user_id: null }, query)) {
      keys.set(row.person_id, this.#cache(tenantId, row, changes));
    }
    return keys;
  }

  async #cached(tenantId: string, personIds: readonly string[]) {
    const isCurrent = await this.#invalidation.isCurrent();
    const keys = new Map<string, KeyObject | null>();
    const unknown: string[] = [];
    for (const id of new Set(personIds)) {
      const key = isCurrent ? this.#known.get(`${tenantId}/${id}`) : undefined;
      if (key === undefined) unknown.push(id);
      else keys.set(id, key === destroyed ? null : key);
    }
    return { keys, unknown, changes: this.#changes };
  }

  #cache(tenantId: string, row: KeyRow, changes: number): KeyObject | null {
    const key = this.#open(row);
    if (changes === this.#changes) this.#known.set(`${tenantId}/${row.person_id}`, key ?? destroyed);
    return key;
  }

  /** A key that cannot be opened counts as destroyed: a lost keyring must not stop operations. */
  #open({ id, person_id, key_ciphertext }: KeyRow): KeyObject | null {
    if (key_ciphertext === null) return null;
    try {
      return createSecretKey(this.#keyring.open(key_ciphertext, placeOf(id)), 'base64');
    } catch (error) {
      if (!(error instanceof SealedValueError)) throw error;
      this.#log.error({ err: error, person_id }, 'the key of a person cannot be decrypted; their personal data is left out of the audit');
      return null;
    }
  }

  #make(person_id: string): { id: string; person_id: string; key: KeyObject; key_ciphertext: string } {
    const id = randomUUID();
    const bytes = fewRandomBytes(personKeyBytes);
    const key_ciphertext = this.#keyring.seal(bytes.toString('base64'), placeOf(id));
    return { id, person_id, key: createSecretKey(bytes), key_ciphertext };
  }
}

function placeOf(row_id: string) {
  return { table: 'audit_person_keys', column: 'key_ciphertext', row_id };
}

/** A row whose sealed parts are to be opened. */
interface SealedRow {
  /** Id of the entry. */
  readonly id: string;
  /** Text of its private part. */
  readonly private: string | null;
}

/** The keys of the sealed parts of some rows, part by part; null where the person was erased. */
export async function partKeys(
  db: ReadConnections & { readonly personKeys: PersonKeys },
  tenantId: string,
  rows: readonly SealedRow[],
): Promise<(Buffer | null)[][]> {
  const parts = rows.map(sealedParts);
  const persons = parts.flat().map(({ person }) => person);
  const keys: PersonKeyMap = persons.length === 0 ? new Map() : await db.personKeys.forReading(db, tenantId, persons);
  return rows.map(({ id }, place) =>
    (parts[place] ?? []).map(({ person, holds }) => {
      const key = keys.get(person) ?? null;
      return key === null ? null : partKey(key, id, holds);
    }),
  );
}

function sealedParts({ private: text }: SealedRow): readonly SealedPart[] {
  if (text === null || !text.includes('"sealed"')) return [];
  return (JSON.parse(text) as AuditPrivate).sealed ?? [];
}
