/** The statement of `GET /admin/users`, as the application sends it. */
export const bareListSql = `select id, email, phone_number, full_name, role, status, created_at from users
  order by created_at desc, id desc limit $1`;
