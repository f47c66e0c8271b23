import { usersPage } from '../../src/services/identity/user.queries.ts';

/** The statement of `GET /admin/users?limit=20`, compiled once: the bare server is to differ in everything but SQL. */
export const bareList = usersPage({ limit: 20 }).compile();
