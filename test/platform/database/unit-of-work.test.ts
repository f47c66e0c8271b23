import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { defaultTenantId, systemActor } from '../../../src/domain/shared/actor.ts';
import { kysely } from '../../../src/entities/kysely-schema.ts';
import { UserEntity } from '../../../src/entities/identity/user.entity.ts';
import { read, readAll } from '../../../src/platform/database/read.ts';
import { unitOfWork } from '../../../src/platform/database/unit-of-work.ts';
import type { AuditEntry } from '../../../src/domain/audit/audit-entry.ts';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { createTenant } from '../../support/factories/identity.ts';
import { asSuperuser } from '../../support/superuser.ts';

let app: TestApi;
const actor = systemActor(defaultTenantId);
const entry = (resource_id: string): AuditEntry => ({
  event: 'test.changed',
  action: 'update',
  resource_type: 'user',
  resource_id,
});

beforeAll(async () => {
  app = await startTestApi();
});

afterAll(async () => {
  await app.close();
});

async function auditCount(resourceId: string): Promise<number> {
  const rows = await asSuperuser(app, 'select from audit_logs where resource_id = $1', [resourceId]);
  return rows.length;
}

const preferences = () => kysely.selectFrom('users').select(['id', 'full_name']).orderBy('id').limit(1);

describe('unit of work', () => {
  it('X-7: keeps change and audit row together, or neither', async () => {
    const [[person]] = await readAll(app.api.deps.db, actor, [preferences()] as const);
    const rename = (full_name: string, fail: boolean) =>
      unitOfWork(app.api.deps.db, actor, async (tx) => {
        await tx.sql.updateTable('users').set({ full_name }).where('id', '=', person!.id).execute();
        tx.audit(entry(full_name));
        if (fail) throw new Error('after the change');
      });
    await expect(rename('taken-back', true)).rejects.toThrow('after the change');
    expect(await auditCount('taken-back')).toBe(0);
    await rename('kept', false);
    expect(await auditCount('kept')).toBe(1);
    const [[after]] = await readAll(app.api.deps.db, actor, [preferences()] as const);
    expect(after!.full_name).toBe('kept');
  });

  it('X-7: no audit row, no action: a change whose entry cannot be written is not made', async () => {
    await asSuperuser(app, 'alter table audit_logs rename to audit_logs_away');
    try {
      const change = unitOfWork(app.api.deps.db, actor, async (tx) => {
        await tx.sql.updateTable('users').set({ full_name: 'unaudited' }).execute();
        tx.audit(entry('unaudited'));
      });
      await expect(change).rejects.toThrow();
    } finally {
      await asSuperuser(app, 'alter table audit_logs_away rename to audit_logs');
    }
    const rows = await asSuperuser(app, "select from users where full_name = 'unaudited'");
    expect(rows).toHaveLength(0);
  });

  it('names the statement that failed, not the one that met the aborted transaction', async () => {
    const failing = unitOfWork(app.api.deps.db, { ...actor, tenant_id: 'no-uuid' }, (tx) =>
      tx.sql.selectFrom('users').select('id').execute(),
    );
    await expect(failing).rejects.toMatchObject({ code: '22P02' });
    const [[person]] = await readAll(app.api.deps.db, actor, [preferences()] as const);
    expect(person).toBeDefined();
  });

  it('gives entities of the same transaction to whoever asks for them', async () => {
    const names = await unitOfWork(app.api.deps.db, actor, async (tx) => {
      const [person] = await tx.em.find(UserEntity, {}, { orderBy: { id: 'asc' }, limit: 1 });
      person!.full_name = 'Renamed by entity';
      await tx.flush();
      const [row] = await tx.sql.selectFrom('users').where('id', '=', person!.id).select('full_name').execute();
      tx.audit(entry(person!.id));
      return [person!.full_name, row!.full_name];
    });
    expect(names).toEqual(['Renamed by entity', 'Renamed by entity']);
  });

  it('R12: changes another tenant for the staff, each with its own rows and its own chain, or neither', async () => {
    const { db } = app.api.deps;
    const { id: there } = await createTenant(app);
    const other = systemActor(there);
    const changeBoth = (name: string, fails: boolean) =>
      unitOfWork(db, actor, async (tx) => {
        const seenThere = await tx.inTenant(other, async (inside) => {
          inside.em.create(UserEntity, { email: `${name}@there.test`, full_name: name });
          inside.audit(entry(`${name} there`));
          return read(inside, other, kysely.selectFrom('users').select(['tenant_id', 'email']));
        });
        tx.audit(entry(`${name} here`));
        const seenHere = await tx.sql.selectFrom('users').select('tenant_id').distinct().execute();
        if (fails) throw new Error('after both');
        return { seenThere, seenHere };
      });
    const entries = (name: string) =>
      asSuperuser(app, 'select resource_id, tenant_id from audit_logs where resource_id like $1 order by resource_id', [`${name} %`]);

    await expect(changeBoth('neither', true)).rejects.toThrow('after both');
    expect(await entries('neither')).toEqual([]);
    expect(await changeBoth('both', false)).toEqual({
      seenThere: [{ tenant_id: there, email: 'both@there.test' }],
      seenHere: [{ tenant_id: defaultTenantId }],
    });
    expect(await entries('both')).toEqual([
      { resource_id: 'both here', tenant_id: defaultTenantId },
      { resource_id: 'both there', tenant_id: there },
    ]);
  });

  it('lets no other tenant change the staff’s or a third one', async () => {
    const { db } = app.api.deps;
    const elsewhere = systemActor((await createTenant(app)).id);
    for (const target of [actor, systemActor((await createTenant(app)).id)]) {
      const reaching = unitOfWork(db, elsewhere, (tx) => tx.inTenant(target, () => Promise.resolve()));
      await expect(reaching).rejects.toThrow('Only a transaction of the default tenant');
      const nested = unitOfWork(db, actor, (tx) => tx.inTenant(elsewhere, (inside) => inside.inTenant(target, () => Promise.resolve())));
      await expect(nested).rejects.toThrow('Only a transaction of the default tenant');
    }
  });

  it('goes on when a migration has changed a table that statements are prepared for', async () => {
    const { db } = app.api.deps;
    const rows = () => unitOfWork(db, actor, (tx) => tx.sql.selectFrom('users').selectAll().orderBy('id').limit(1).execute());
    for (let time = 0; time < 3; time += 1) await rows();
    await asSuperuser(app, 'alter table users add column added_later int');
    expect(Object.keys((await rows())[0] ?? {})).toContain('added_later');
  });

  it('leaves connections that broke under it, so that the pool never runs dry', async () => {
    const { db, env } = app.api.deps;
    for (let time = 0; time <= env.DATABASE_POOL_SIZE; time += 1) {
      const broken = unitOfWork(db, actor, (tx) => sql`select pg_terminate_backend(pg_backend_pid())`.execute(tx.sql));
      await expect(broken).rejects.toThrow();
    }
    await expect(unitOfWork(db, actor, (tx) => tx.sql.selectFrom('users').select('id').limit(1).execute())).resolves.toHaveLength(1);
  });

  it('runs again after a deadlock, so that both sides of one succeed', async () => {
    const [people] = await readAll(app.api.deps.db, actor, [
      kysely.selectFrom('users').select('id').orderBy('id').limit(2),
    ] as const);
    const [one, other] = people.map(({ id }) => id) as [string, string];
    let firstLocks = 0;
    const bothLocked = Promise.withResolvers<undefined>();
    const lockInTurn = (first: string, second: string) =>
      unitOfWork(app.api.deps.db, actor, async (tx) => {
        const touch = (id: string) =>
          tx.sql.updateTable('users').set({ updated_at: sql<string>`now()` }).where('id', '=', id).execute();
        await touch(first);
        if ((firstLocks += 1) === 2) bothLocked.resolve(undefined);
        await bothLocked.promise;
        await touch(second);
        return 'done';
      });
    await expect(Promise.all([lockInTurn(one, other), lockInTurn(other, one)])).resolves.toEqual(['done', 'done']);
    // On a busy machine the second attempt may meet the other transaction once more.
    expect(firstLocks).toBeGreaterThanOrEqual(3);
  });
});

describe('read', () => {
  it('cannot change anything', async () => {
    const write = { compile: () => sql`update users set full_name = 'read' returning id`.compile(kysely) };
    await expect(readAll(app.api.deps.db, actor, [write] as const)).rejects.toMatchObject({ code: '25006' });
  });

  it('gives the rows of each query, in order, in one transaction', async () => {
    const instant = kysely.selectNoFrom(sql<string>`now()::text`.as('at'));
    const [a, people, b] = await readAll(app.api.deps.db, actor, [instant, preferences(), instant] as const);
    expect(a).toEqual(b);
    expect(people).toHaveLength(1);
  });
});
