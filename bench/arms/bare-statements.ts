import { userList } from '../../src/api/identity/user.schemas.ts';

/** The statement of `GET /admin/users?limit=20`, compiled once: the bare server is to differ in everything but SQL. */
export const bareList = userList({ after: null, limit: 20 }).compile();
