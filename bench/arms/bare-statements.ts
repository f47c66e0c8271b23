import { sql } from 'kysely';
import { userPage, usersQuery } from '../../src/api/user-view.ts';

/** The statement of `GET /admin/users?limit=20`, compiled once: the bare server is to differ in everything but SQL. */
export const bareList = usersQuery(
  userPage()
    .where('u.status', '<>', sql.lit('deleted'))
    .orderBy('u.created_at', 'desc')
    .orderBy('u.id', 'desc')
    .limit(21),
).compile();
