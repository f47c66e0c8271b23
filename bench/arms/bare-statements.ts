import { userList } from '../../src/api/user-view.ts';

/** The statement of `GET /admin/users?limit=20`, compiled once: the bare server is to differ in everything but SQL. */
export const bareList = userList({ after: null, limit: 20 }).compile();
