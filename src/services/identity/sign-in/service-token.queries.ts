import { kysely } from '../../../entities/kysely-schema.ts';
import { newestFirst } from '../../../platform/database/keyset-page.ts';
import type { Page } from '../../../platform/database/keyset-page.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../../platform/database/read.ts';

/** What is shown of a service token; never its hash. */
export const serviceTokenColumns = [
  'id',
  'name',
  'last4',
  'environment',
  'permissions',
  'created_by',
  'created_at',
  'expires_at',
  'revoked_at',
  'revoked_by',
] as const;

/** A page of service tokens, newest first, and one more to tell whether another follows. */
export function listServiceTokens(db: ReadSource, scope: ReadScope, page: Page) {
  return read(db, scope, kysely.selectFrom('service_tokens').$call(newestFirst(page)).select(serviceTokenColumns));
}
