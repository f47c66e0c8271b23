import type { Actor } from '../../../domain/shared/actor.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';

/** Who acts, also out of a workflow: a service token has the place of the session. */
type ActingRef = ReadScope & Pick<Actor, 'session_id'>;

/** A service token that acts, by its name and its owner. */
export interface ActingToken {
  readonly name: string;
  /** Null where nobody owns it. */
  readonly owner_id: string | null;
}

/** The service token that acts; null for people, for jobs of the product and for the operator. */
export async function findActingToken(db: ReadSource, actor: ActingRef): Promise<ActingToken | null> {
  const { user_id, session_id } = actor;
  if (user_id !== null || session_id === null) return null;
  const [token] = await read(
    db,
    actor,
    kysely.selectFrom('service_tokens').where('id', '=', session_id).select(['name', 'created_by as owner_id']),
  );
  return token ?? null;
}

/**
 * The person who answers for what is done: whoever acts, or the owner of the service token that acts (an act of a token is its
 * owner's). Null for jobs of the product and for the operator.
 */
export async function findAnswerablePerson(db: ReadSource, actor: ActingRef): Promise<string | null> {
  return actor.user_id ?? (await findActingToken(db, actor))?.owner_id ?? null;
}
