import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Actor } from '../../domain/shared/actor.ts';
import { canonicalJson } from '../../domain/shared/canonical.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { Problem } from '../../platform/problem.ts';
import { writeInfrastructure } from '../../platform/database/read.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

const maxKeyLength = 255;
/** How long a first request may run before a repetition takes over, because its process may have died. */
const runningSeconds = 60;
/** How long a stored answer is replayed. */
const replaySeconds = 24 * 3600;

/** The answer to the first request, which repetitions get too. */
interface StoredAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** A key that this request owns until it stores its answer or releases the key. */
interface IdempotencyClaim {
  /** The stored answer of an earlier request with the key; null when this request is the first. */
  readonly replay: StoredAnswer | null;
  /** Stores the answer for a day; sealed, because it may contain what only this caller may see. */
  store(answer: StoredAnswer): Promise<void>;
  /** Deletes the key after a failed first request, so that a repetition is carried out. */
  release(): Promise<void>;
}

type Deps = Pick<ProcessDeps, 'db' | 'keyring'>;

/**
 * Claims an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07) in one round trip.
 *
 * @param request method, path and body, by which a repetition is recognised.
 * @throws Problem `idempotency.key-invalid` (400), `.key-reused` (422) or `.in-progress` (409).
 */
export async function claimIdempotencyKey(
  deps: Deps,
  actor: Actor,
  key: string,
  request: { readonly method: string; readonly path: string; readonly body: unknown },
): Promise<IdempotencyClaim> {
  if (key.length > maxKeyLength || !/^[\x21-\x7e]+$/.test(key)) {
    throw new Problem({
      code: 'idempotency.key-invalid',
      detail: `An Idempotency-Key has 1 to ${maxKeyLength} visible ASCII characters.`,
    });
  }
  const principal = actor.user_id ?? actor.session_id ?? actor.kind;
  const fingerprint = createHash('sha256')
    .update(canonicalJson([request.method, request.path, request.body ?? null]))
    .digest();
  const rows = await writeInfrastructure(deps.db, actor, claimQuery(actor.tenant_id, principal, key, fingerprint));
  const found = rows[0];
  const place = { table: 'idempotency_keys', column: 'response_sealed', row_id: `${actor.tenant_id}/${principal}/${key}` };
  if (found !== undefined && !found.claimed) {
    // The mismatch is reported before `in-progress`, so that a caller does not keep retrying a reused key.
    if (!found.fingerprint.equals(fingerprint)) {
      throw new Problem({
        code: 'idempotency.key-reused',
        detail: 'This Idempotency-Key was used for another request. Use a new key.',
      });
    }
    if (found.response_sealed !== null) {
      const replay = JSON.parse(deps.keyring.open(found.response_sealed, place)) as StoredAnswer;
      return { replay, store: async () => {}, release: async () => {} };
    }
  }
  if (found === undefined || !found.claimed) {
    throw new Problem({
      code: 'idempotency.in-progress',
      detail: 'The first request with this Idempotency-Key is still running. Try again shortly.',
      retryAfterSeconds: 1,
    });
  }
  const mine = kysely
    .updateTable('idempotency_keys')
    .where('tenant_id', '=', actor.tenant_id)
    .where('principal', '=', principal)
    .where('key', '=', key);
  return {
    replay: null,
    store: async (answer) => {
      const response_sealed = deps.keyring.seal(JSON.stringify(answer), place);
      const expires_at = sql<string>`now() + make_interval(secs => ${replaySeconds})`;
      await writeInfrastructure(deps.db, actor, mine.set({ status: answer.status, response_sealed, expires_at }));
    },
    release: async () => {
      await writeInfrastructure(
        deps.db,
        actor,
        kysely
          .deleteFrom('idempotency_keys')
          .where('tenant_id', '=', actor.tenant_id)
          .where('principal', '=', principal)
          .where('key', '=', key),
      );
    },
  };
}

interface ClaimedRow {
  readonly claimed: boolean;
  readonly fingerprint: Buffer;
  readonly response_sealed: string | null;
}

/** Inserts the key, takes over an expired one, or returns the existing row. */
function claimQuery(tenantId: string, principal: string, key: string, fingerprint: Buffer) {
  const statement = sql<ClaimedRow>`
    with claimed as (
      insert into idempotency_keys as k (tenant_id, principal, key, fingerprint, expires_at)
      values (${tenantId}, ${principal}, ${key}, ${fingerprint}, now() + make_interval(secs => ${runningSeconds}))
      on conflict (tenant_id, principal, key) do update
        set fingerprint = excluded.fingerprint, status = null, response_sealed = null,
            created_at = now(), expires_at = excluded.expires_at
        where k.expires_at <= now()
      returning k.fingerprint
    )
    select true as claimed, fingerprint, null as response_sealed from claimed
    union all
    select false, k.fingerprint, k.response_sealed from idempotency_keys k
    where k.tenant_id = ${tenantId} and k.principal = ${principal} and k.key = ${key}
      and not exists (select from claimed)`;
  return { compile: () => statement.compile(kysely) };
}
