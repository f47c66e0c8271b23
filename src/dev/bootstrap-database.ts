import { Client, escapeIdentifier, escapeLiteral } from 'pg';

/**
 * The group role that every policy and grant of the migrations names; the processes log in as a member of it. Like
 * the other three it belongs to the whole server, so several Castellan databases on one server share them.
 */
export const appRole = 'castellan_app';

/** May archive and drop audit entries, and nothing else. API and worker are no members of it (T-17). */
export const retentionRole = 'castellan_retention';

/** Owns the SECURITY DEFINER functions, so that these have exactly the rights that the migrations grant to it. */
export const definerRole = 'castellan_definer';

/** The connections that a deployment uses; users, passwords and database names come from the addresses. */
export type DatabaseAddresses = {
  /** A superuser, or a user with CREATEROLE and CREATEDB; any database of the server. */
  adminUrl: string;
  /** Owns the database and runs the migrations. */
  ownerUrl: string;
  /** API and worker: owns nothing, is bound by row-level security. Same database as `ownerUrl`. */
  appUrl: string;
  /** The retention of the audit log, where it is used: a login of its own. Same database as `ownerUrl`. */
  retentionUrl?: string | undefined;
};

/**
 * Creates the roles and the empty database that the migrations expect, as often as you like: what exists is kept,
 * the passwords are set to those in the addresses.
 *
 * Only the roles named here may connect to the database or create anything in it, and neither the owner nor
 * the application can pass row-level security (superuser and BYPASSRLS are revoked).
 *
 * @throws the database's error, e.g. when the admin may not create roles
 */
export async function bootstrapDatabase(addresses: DatabaseAddresses): Promise<void> {
  const owner = loginOf(addresses.ownerUrl);
  const app = loginOf(addresses.appUrl);
  const retention = addresses.retentionUrl === undefined ? null : loginOf(addresses.retentionUrl);
  if (owner.database !== app.database) throw new Error('The owner and the application must use the same database.');
  if (retention !== null && retention.database !== owner.database) {
    throw new Error('The owner and the retention must use the same database.');
  }
  if (retention?.user === app.user) throw new Error('The retention needs a login of its own: the application must not drop entries.');

  await withClient(addresses.adminUrl, async (admin) => {
    await ensureRole(admin, appRole, 'nologin');
    await ensureRole(admin, definerRole, 'nologin');
    await ensureRole(admin, retentionRole, 'nologin');
    await ensureRole(admin, owner.user, `login password ${escapeLiteral(owner.password)}`);
    await ensureRole(admin, app.user, `login password ${escapeLiteral(app.password)}`);
    await admin.query(`grant ${escapeIdentifier(appRole)} to ${escapeIdentifier(app.user)}`);
    if (retention !== null) {
      await ensureRole(admin, retention.user, `login password ${escapeLiteral(retention.password)}`);
      await admin.query(`grant ${escapeIdentifier(retentionRole)} to ${escapeIdentifier(retention.user)}`);
    }
    // SET without INHERIT: the owner may hand functions over to the definer, and act as the application does, but has
    // neither's rights unless it asks for them.
    await admin.query(
      `grant ${escapeIdentifier(definerRole)}, ${escapeIdentifier(appRole)} to ${escapeIdentifier(owner.user)} ` +
        'with inherit false, set true',
    );
    await ensureDatabase(admin, owner.database, owner.user);
    await grantDatabase(admin, owner.database);
  });
  await withClient(addresses.ownerUrl, grantSchema);
}

/** Lets only the roles of Castellan connect: a new database is open to PUBLIC. Run again for a copied database. */
export async function grantDatabase(admin: Client, database: string): Promise<void> {
  const name = escapeIdentifier(database);
  await admin.query(`revoke all on database ${name} from public`);
  await admin.query(`grant connect on database ${name} to ${escapeIdentifier(appRole)}, ${escapeIdentifier(retentionRole)}`);
}

/** Runs `use` on a connection of its own and closes it in any case. */
export async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, application_name: 'castellan-bootstrap' });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** Creates the role when it is missing and sets its attributes in any case. */
async function ensureRole(admin: Client, role: string, attributes: string): Promise<void> {
  const { rowCount } = await admin.query('select from pg_roles where rolname = $1', [role]);
  if (rowCount === 0) await admin.query(`create role ${escapeIdentifier(role)}`);
  await admin.query(`alter role ${escapeIdentifier(role)} ${attributes}`);
  await takePowersAway(admin, role);
}

/** Only where there is something to take: a CREATEROLE user may not name SUPERUSER or BYPASSRLS, not even to deny. */
async function takePowersAway(admin: Client, role: string): Promise<void> {
  const { rowCount } = await admin.query(
    'select from pg_roles where rolname = $1 and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)',
    [role],
  );
  if (rowCount === 0) return;
  await admin.query(`alter role ${escapeIdentifier(role)} nosuperuser nobypassrls nocreaterole nocreatedb`);
}

async function ensureDatabase(admin: Client, database: string, owner: string): Promise<void> {
  const { rowCount } = await admin.query('select from pg_database where datname = $1', [database]);
  if (rowCount !== 0) return;
  const { rows } = await admin.query<{ rolsuper: boolean }>(
    'select rolsuper from pg_roles where rolname = current_user',
  );
  // Without being superuser, one hands a database only to a role that one may become.
  if (rows[0]?.rolsuper !== true) await admin.query(`grant ${escapeIdentifier(owner)} to current_user with set true`);
  await admin.query(`create database ${escapeIdentifier(database)} owner ${escapeIdentifier(owner)}`);
}

/** CREATE for the definer, because PostgreSQL lets a function pass only to a role that could have made it there. */
async function grantSchema(owner: Client): Promise<void> {
  await owner.query('revoke all on schema public from public');
  await owner.query(`grant usage on schema public to ${escapeIdentifier(appRole)}`);
  await owner.query(`grant usage, create on schema public to ${escapeIdentifier(definerRole)}`);
}

function loginOf(url: string): { user: string; password: string; database: string } {
  const { username, password, pathname } = new URL(url);
  const database = decodeURIComponent(pathname.slice(1));
  if (username === '' || database === '') throw new Error('A database address needs a user and a database name.');
  return { user: decodeURIComponent(username), password: decodeURIComponent(password), database };
}
