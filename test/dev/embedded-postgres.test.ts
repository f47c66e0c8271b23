import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { bootstrapDatabase, withClient } from '../../src/dev/bootstrap-database.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/dev/embedded-postgres.ts';
import { freePort } from '../../src/dev/ports.ts';
import { isAlive, waitForEnd } from '../../src/dev/processes.ts';

const passwords = { superuser: 'a superuser/@:', owner: 'an owner/@:', app: "an app'/@:" };

describe('the embedded PostgreSQL', () => {
  let folder: string;
  let port: number;
  let running: EmbeddedPostgres | undefined;

  async function start(changed: { passwords?: typeof passwords } = {}): Promise<EmbeddedPostgres> {
    running = await startEmbeddedPostgres({
      folder,
      logFile: join(folder, 'postgres.log'),
      port,
      passwords,
      settings: ['fsync=off'],
      ...changed,
    });
    return running;
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'castellan-postgres-'));
    await chmod(folder, 0o711);
    port = await freePort();
  });

  afterEach(async () => {
    await running?.stop();
    running = undefined;
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('keeps its data over a restart, and accepts only the right password', async () => {
    const first = await start();
    await withClient(first.ownerUrl, async (owner) => {
      await owner.query('create table kept (value text)');
      await owner.query("insert into kept values ('still here')");
    });
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);

    const second = await start();
    const { rows } = await withClient(second.ownerUrl, (owner) => owner.query('select value from kept'));
    expect(rows).toEqual([{ value: 'still here' }]);
    const wrong = new URL(second.appUrl);
    wrong.password = 'guess';
    await expect(withClient(wrong.href, (client) => client.query('select 1'))).rejects.toThrow('password');
  });

  it('makes roles that row-level security binds, and can be prepared again at any time', async () => {
    const postgres = await start();
    await bootstrapDatabase(postgres);
    const { rows } = await withClient(postgres.adminUrl, (admin) =>
      admin.query(
        `select rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb
           from pg_roles where rolname like 'castellan%' order by rolname`,
      ),
    );
    const powerless = { rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcreatedb: false };
    expect(rows).toEqual([
      { rolname: 'castellan', rolcanlogin: true, ...powerless },
      { rolname: 'castellan_app', rolcanlogin: false, ...powerless },
      { rolname: 'castellan_definer', rolcanlogin: false, ...powerless },
      { rolname: 'castellan_owner', rolcanlogin: true, ...powerless },
      { rolname: 'castellan_retention', rolcanlogin: false, ...powerless },
    ]);
    await withClient(postgres.appUrl, async (app) => {
      await expect(app.query('create table mine (id int)')).rejects.toThrow('permission denied');
      await expect(app.query('create temporary table mine (id int)')).rejects.toThrow('permission denied');
      await expect(app.query('set role castellan_owner')).rejects.toThrow('permission denied');
      await expect(app.query('set role castellan_definer')).rejects.toThrow('permission denied');
    });
  });

  it('can be prepared by a user who is no superuser but may create roles and databases', async () => {
    const postgres = await start();
    await withClient(postgres.adminUrl, (admin) =>
      admin.query("create role deployer login createrole createdb password 'deployer'"),
    );
    const address = (user: string, password: string, database: string) =>
      `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
    await withClient(postgres.adminUrl, async (admin) => {
      await admin.query('grant castellan_app, castellan_definer, castellan_retention to deployer with admin option');
    });
    const addresses = {
      adminUrl: address('deployer', 'deployer', 'postgres'),
      ownerUrl: address('second_owner', 'one', 'second'),
      appUrl: address('second_app', 'two', 'second'),
      retentionUrl: address('second_archivist', 'three', 'second'),
    };
    await bootstrapDatabase(addresses);
    await bootstrapDatabase(addresses);
    const { rows } = await withClient(addresses.appUrl, (app) =>
      app.query("select current_user as name, pg_has_role('castellan_app', 'usage') as is_app"),
    );
    expect(rows).toEqual([{ name: 'second_app', is_app: true }]);
    const { rows: memberships } = await withClient(addresses.retentionUrl, (retention) =>
      retention.query("select pg_has_role('castellan_retention', 'usage') as is_retention, pg_has_role('castellan_app', 'member') as is_app"),
    );
    expect(memberships).toEqual([{ is_retention: true, is_app: false }]);
    await expect(bootstrapDatabase({ ...addresses, retentionUrl: addresses.appUrl })).rejects.toThrow(/login of its own/);
    const stranger = address('castellan', encodeURIComponent(passwords.app), 'postgres');
    await withClient(stranger, (client) => client.query('select 1'));
  });

  it('starts after a crash: a lock file of a process that is gone is removed', async () => {
    const crashed = await start();
    process.kill(crashed.pid, 'SIGKILL');
    await crashed.ended;
    const lock = join(folder, 'postgres', 'postmaster.pid');
    expect((await readFile(lock, 'utf8')).split('\n', 1)).toEqual([String(crashed.pid)]);
    await start();
  });

  it('starts although the process id in a stale lock file belongs to another program by now', async () => {
    const stranger = spawn('sleep', ['60']);
    try {
      await writeFile(join(folder, 'postgres', 'postmaster.pid'), `${stranger.pid}\n`);
      await start();
      expect(stranger.exitCode).toBeNull();
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  it('ends a server that a crashed start has left behind on its folder', async () => {
    const orphan = await start();
    await start();
    expect(await waitForEnd(orphan.pid, 0)).toBe(true);
  });

  it('is stopped by its guard when the process that started it is killed', async () => {
    const starter = join(folder, 'starter.ts');
    const source = new URL('../../src/dev/embedded-postgres.ts', import.meta.url).href;
    const options = { folder, logFile: join(folder, 'postgres.log'), port, passwords };
    await writeFile(
      starter,
      `import { startEmbeddedPostgres } from '${source}';
       const postgres = await startEmbeddedPostgres(${JSON.stringify(options)});
       process.stdout.write(String(postgres.pid));`,
    );
    const child = spawn(process.execPath, ['--input-type=module', '-e', `await import('file://${starter}')`]);
    const pid = await new Promise<number>((resolve, reject) => {
      child.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString())));
      child.once('exit', () => reject(new Error('the starter ended before PostgreSQL ran')));
    });
    expect(isAlive(pid)).toBe(true);
    child.kill('SIGKILL');
    expect(await waitForEnd(pid, 10_000)).toBe(true);
  });

  it('says in one line that its port is taken and how to choose another', async () => {
    const other: Server = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    try {
      await expect(start()).rejects.toThrow(
        `Port ${port} (PostgreSQL) is in use by another program: stop that program or set POSTGRES_PORT`,
      );
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });

  it('says in one line that the passwords of the folder were lost', async () => {
    await expect(start({ passwords: { ...passwords, superuser: 'new' } })).rejects.toThrow(
      /^The passwords of this data folder are not the ones .* begin anew\.$/,
    );
  });

  it('keeps its data for its own account only', async () => {
    const { mode } = await stat(join(folder, 'postgres'));
    expect(mode & 0o777).toBe(0o700);
  });
});
