import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { toProblem } from '../../../src/api/http/problem-details.ts';
import type { AuditEntry } from '../../../src/domain/audit/audit-entry.ts';
import { defaultTenantId, systemActor } from '../../../src/domain/shared/actor.ts';
import { ContactEntity } from '../../../src/entities/assignment/contact.entity.ts';
import { FeatureFlagEntity } from '../../../src/entities/flag/flag.entity.ts';
import { MfaFactorEntity } from '../../../src/entities/identity/mfa.entity.ts';
import { ServiceTokenEntity } from '../../../src/entities/identity/service-token.entity.ts';
import { AdminUserEntity, UserEntity } from '../../../src/entities/identity/user.entity.ts';
import { AdminMeetingEntity } from '../../../src/entities/tracker/meeting.entity.ts';
import { lockOne, toRow } from '../../../src/platform/database/entity-row.ts';
import { unitOfWork } from '../../../src/platform/database/unit-of-work.ts';
import type { Tx } from '../../../src/platform/database/unit-of-work.ts';
import { assertVersion } from '../../../src/platform/row-version.ts';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { asSuperuser } from '../../support/superuser.ts';

let app: TestApi;
const actor = systemActor(defaultTenantId);

beforeAll(async () => {
  app = await startTestApi();
});

afterAll(async () => {
  await app.close();
});

const inUnit = <Result>(work: (tx: Tx) => Promise<Result>) => unitOfWork(app.api.deps.db, actor, work);

const asAdmin = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> => {
  const rows = await asSuperuser<Record<string, unknown>>(app, text, values);
  return rows;
};

const contactColumns = ['id', 'tenant_id', 'name', 'notes', 'created_at', 'updated_at', 'version'] as const;
const email = () => `${randomUUID()}@entities.example`;

/** A committed contact. */
async function newContact(values: { name: string; notes?: string; email?: string } = { name: 'Ada' }) {
  return inUnit(async (tx) => {
    const contact = tx.em.create(ContactEntity, values);
    await tx.flush();
    return toRow(contact, contactColumns);
  });
}

const entryOf = (resource_id: string): AuditEntry => ({ event: 'test.changed', action: 'update', resource_type: 'contact', resource_id });

/** Lets callers wait until all of them have come. */
function meetingPoint(count: number): () => Promise<void> {
  const all = Promise.withResolvers<void>();
  let arrived = 0;
  return () => {
    if ((arrived += 1) === count) all.resolve();
    return all.promise;
  };
}

describe('values', () => {
  it.each([`it's`, '\\', 'a\\?b', '?', '??', '$1', `');--`, '{"a",b}', '"', 'line\nbreak\t🙂', ''])('keeps the text %j', async (text) => {
    const values = { name: `x${text}`, notes: text };
    const { id } = await newContact(values);
    expect(await asAdmin('select name, notes from contacts where id = $1', [id])).toEqual([values]);
    const found = await inUnit((tx) => tx.em.find(ContactEntity, { id, name: values.name, notes: { $in: [text, 'another'] } }));
    expect(found.map(({ name, notes }) => ({ name, notes }))).toEqual([values]);
  });

  it('keeps arrays, bytes and nothing', async () => {
    const token_hash = randomBytes(32);
    const permissions = ['a,b', 'c"d', 'e\\f', '?', '{}', ''];
    const id = await inUnit(async (tx) => {
      const token = tx.em.create(ServiceTokenEntity, { name: 'values', token_hash, last4: 'abcd', permissions });
      await tx.flush();
      return token.id;
    });
    const read = ['token_hash', 'permissions', 'environment', 'expires_at'];
    const [row] = await asAdmin(`select ${read.join()} from service_tokens where id = $1`, [id]);
    expect(row).toEqual({ token_hash, permissions, environment: null, expires_at: null });
    const loaded = await inUnit(async (tx) => toRow(await lockOne(tx, ServiceTokenEntity, { id }, 'token'), ['permissions', 'token_hash', 'expires_at']));
    expect(loaded).toEqual({ permissions, token_hash, expires_at: null });
  });

  it('keeps the largest number that counters and amounts have', async () => {
    const last_step = Number.MAX_SAFE_INTEGER;
    const id = await inUnit(async (tx) => {
      const user = tx.em.create(UserEntity, { full_name: 'Max', email: email() });
      await tx.flush();
      const factor = tx.em.create(MfaFactorEntity, { user_id: user.id, secret_ciphertext: 'sealed', last_step });
      await tx.flush();
      return factor.id;
    });
    const [loaded] = await inUnit((tx) => tx.em.find(MfaFactorEntity, { id }));
    expect(loaded?.last_step).toBe(last_step);
    expect(loaded?.secret_ciphertext).toBeUndefined();
  });

  it('compares JSON by what it says', async () => {
    const variants = { on: { text: "it's ?", list: [1, null, '$1'] }, off: [] };
    const key = `entities-${randomUUID()}`;
    const columns = ['variants', 'rules', 'version'] as const;
    const assign = (next: typeof variants) =>
      inUnit(async (tx) => {
        const flag = await lockOne(tx, FeatureFlagEntity, { key }, 'flag');
        tx.em.assign(flag, { variants: next });
        await tx.flush();
        return toRow(flag, columns);
      });
    await inUnit(async (tx) => {
      tx.em.create(FeatureFlagEntity, { key, environment: 'development', value_type: 'object', variants, on_variant: 'on', off_variant: 'off', rules: [] });
    });
    const reordered = { off: [], on: { list: [1, null, '$1'], text: "it's ?" } };
    expect(await assign(reordered)).toEqual({ variants, rules: [], version: 1 });
    const changed = { ...variants, on: { ...variants.on, text: 'else' } };
    expect(await assign(changed)).toEqual({ variants: changed, rules: [], version: 2 });
  });

  it('is read again in the unit of work that has read it, with JSON of every kind', async () => {
    for (const value of [{ text: '1' }, [], [null], 'a text', '"quoted"', '1', 1, true]) {
      const key = `entities-${randomUUID()}`;
      const variants = { on: value, off: null };
      const given = { key, environment: 'development', value_type: 'object', variants, on_variant: 'on', off_variant: 'off', rules: [] } as const;
      await inUnit(async (tx) => {
        tx.em.create(FeatureFlagEntity, { ...given, rules: [] });
      });
      const versions = await inUnit(async (tx) => {
        const flag = await lockOne(tx, FeatureFlagEntity, { key }, 'flag');
        const [again] = await tx.em.find(FeatureFlagEntity, { key });
        expect(again).toBe(flag);
        expect(again?.variants).toEqual(variants);
        tx.em.assign(flag, { variants: { on: value, off: 'changed' } });
        await tx.em.find(FeatureFlagEntity, { key });
        expect(flag.variants).toEqual({ on: value, off: 'changed' });
        await tx.flush();
        return toRow(flag, ['variants', 'version']);
      });
      expect(versions).toEqual({ variants: { on: value, off: 'changed' }, version: 2 });
    }
  });

  it('travels as parameters of prepared statements', async () => {
    const first = await newContact({ name: 'prepared' });
    const statements = await inUnit(async (tx) => {
      for (let time = 0; time < 3; time += 1) await tx.em.find(ContactEntity, { id: first.id, notes: `time ${time}` });
      const { rows } = await sql<{ statement: string }>`select statement from pg_prepared_statements`.execute(tx.sql);
      return rows.map(({ statement }) => statement).filter((text) => text.includes('"contacts"') && text.includes('"notes" ='));
    });
    expect(statements).toHaveLength(1);
    expect(statements[0]).toMatch(/\$1.*\$2/);
  });
});

describe('rows', () => {
  it('are complete at once: id, tenant, times, version, and nothing as null', async () => {
    const row = await newContact({ name: 'Complete' });
    expect(row).toMatchObject({ tenant_id: defaultTenantId, version: 1, notes: null });
    const [stored] = await inUnit((tx) => tx.sql.selectFrom('contacts').where('id', '=', row.id).select(contactColumns).execute());
    expect(stored).toEqual(row);
  });

  it('whose id the database gives are not answered before the flush', async () => {
    const { user_id } = await app.signIn('role-super-admin');
    await inUnit(async (tx) => {
      const meeting = tx.em.create(AdminMeetingEntity, { user_id, title: 'Soon', type: 'demo' });
      expect(() => toRow(meeting, ['id', 'title'])).toThrow('flush first');
      await tx.flush();
      expect(toRow(meeting, ['id', 'title'])).toEqual({ id: expect.any(Number), title: 'Soon' });
    });
  });

  it('are inserted after those they refer to, whatever was created first', async () => {
    const id = randomUUID();
    await inUnit(async (tx) => {
      tx.em.create(AdminUserEntity, { user_id: id, job_title: 'Child first' });
      tx.em.create(UserEntity, { id, full_name: 'Parent', email: email() });
    });
    expect(await asAdmin('select job_title from admin_users where user_id = $1', [id])).toEqual([{ job_title: 'Child first' }]);
  });

  it('are not written by a find in the middle of the work', async () => {
    const { id } = await newContact();
    const seen = await inUnit(async (tx) => {
      const contact = await lockOne(tx, ContactEntity, { id }, 'contact');
      tx.em.assign(contact, { notes: 'half done' });
      await tx.em.find(ContactEntity, { name: 'nobody' });
      return tx.sql.selectFrom('contacts').where('id', '=', id).select('notes').executeTakeFirstOrThrow();
    });
    expect(seen.notes).toBeNull();
    expect(await asAdmin('select notes from contacts where id = $1', [id])).toEqual([{ notes: 'half done' }]);
  });
});

describe('a locked row', () => {
  it('keeps other changes waiting, and no insert that refers to it', async () => {
    const { id } = await newContact();
    const briefly = async (text: string) =>
      asAdmin(`with patience as (select set_config('lock_timeout', '200ms', true)) ${text}`, [id]).then(
        () => 'done',
        (error: unknown) => (error as { code: string }).code,
      );
    await inUnit(async (tx) => {
      await lockOne(tx, ContactEntity, { id }, 'contact');
      expect(await briefly('select c.id from contacts c, patience where c.id = $1 for key share of c')).toBe('done');
      expect(await briefly('select c.id from contacts c, patience where c.id = $1 for no key update of c')).toBe('55P03');
    });
  });
});

describe('versions', () => {
  it('count up with a change and not without one', async () => {
    const { id, updated_at } = await newContact({ name: 'Same' });
    const assign = (name: string) =>
      inUnit(async (tx) => {
        const contact = await lockOne(tx, ContactEntity, { id }, 'contact');
        tx.em.assign(contact, { name });
        await tx.flush();
        return toRow(contact, contactColumns);
      });
    expect(await assign('Same')).toMatchObject({ version: 1, updated_at });
    const changed = await assign('Other');
    expect(changed.version).toBe(2);
    const [stored] = await inUnit((tx) => tx.sql.selectFrom('contacts').where('id', '=', id).select(contactColumns).execute());
    expect(stored).toEqual(changed);
  });

  it('let one of several at once win; the others learn the version that stands', async () => {
    const { id } = await newContact();
    const rename = (name: string) =>
      inUnit(async (tx) => {
        const contact = assertVersion(await lockOne(tx, ContactEntity, { id }, 'contact'), 1);
        tx.em.assign(contact, { name });
      });
    const settled = await Promise.allSettled(['a', 'b', 'c', 'd'].map(rename));
    const refused = settled.flatMap((one) => (one.status === 'rejected' ? [toProblem(one.reason)] : []));
    expect(refused.map(({ status, members }) => [status, members])).toEqual(Array(3).fill([412, { current_version: 2 }]));
  });

  it('catch two units that have not locked the row', async () => {
    const { id } = await newContact();
    const bothLoaded = meetingPoint(2);
    const rename = (name: string) =>
      inUnit(async (tx) => {
        const contact = await tx.em.findOne(ContactEntity, { id });
        await bothLoaded();
        tx.em.assign(contact!, { name });
      });
    const settled = await Promise.allSettled([rename('a'), rename('b')]);
    const refused = settled.flatMap((one) => (one.status === 'rejected' ? [toProblem(one.reason)] : []));
    expect(refused.map(({ status, code }) => [status, code])).toEqual([[412, 'resource.version-mismatch']]);
    expect(await asAdmin('select version from contacts where id = $1', [id])).toEqual([{ version: 2 }]);
  });
});

describe('transaction', () => {
  it('X-7: writes entities before the audit entry, and keeps both or neither', async () => {
    const { id } = await newContact();
    await inUnit(async (tx) => {
      tx.audit(entryOf(id));
      tx.em.assign(await lockOne(tx, ContactEntity, { id }, 'contact'), { notes: 'audited' });
    });
    const taken = email();
    await newContact({ name: 'Taken', email: taken });
    const failing = inUnit(async (tx) => {
      tx.audit(entryOf(`${id}-again`));
      tx.em.assign(await lockOne(tx, ContactEntity, { id }, 'contact'), { email: taken, notes: 'not kept' });
    });
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    expect(await asAdmin('select notes from contacts where id = $1', [id])).toEqual([{ notes: 'audited' }]);
    const entries = await asAdmin('select resource_id from audit_logs where resource_id like $1', [`${id}%`]);
    expect(entries).toEqual([{ resource_id: id }]);
  });

  it('runs again after a deadlock with entities of its own', async () => {
    const [one, other] = await Promise.all([newContact({ name: 'one' }), newContact({ name: 'other' })]);
    let attempts = 0;
    const bothLocked = meetingPoint(2);
    const lockInTurn = (first: string, second: string, notes: string) =>
      inUnit(async (tx) => {
        attempts += 1;
        const before = await lockOne(tx, ContactEntity, { id: first }, 'contact');
        if (attempts <= 2) await bothLocked();
        const after = await lockOne(tx, ContactEntity, { id: second }, 'contact');
        for (const contact of [before, after]) tx.em.assign(contact, { notes: `${contact.notes ?? ''}${notes}` });
      });
    await Promise.all([lockInTurn(one.id, other.id, 'x'), lockInTurn(other.id, one.id, 'y')]);
    expect(attempts).toBe(3);
    const rows = await asAdmin('select version, length(notes) as length from contacts where id = any($1)', [[one.id, other.id]]);
    expect(rows).toEqual(Array(2).fill({ version: 3, length: 2 }));
  });

  it('refuses a row of another tenant, which nobody can tell from one that is not there', async () => {
    const insert = inUnit(async (tx) => {
      tx.em.create(ContactEntity, { tenant_id: randomUUID(), name: 'elsewhere' });
    });
    const error = await insert.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: '42501' });
    expect(toProblem(error)).toMatchObject({ status: 404, code: 'resource.not-found' });
    const sent = inUnit(async (tx) =>
      tx.defer(tx.sql.insertInto('contacts').values({ tenant_id: randomUUID(), name: 'elsewhere' })),
    ).catch((reason: unknown) => reason);
    expect(toProblem(await sent)).toMatchObject({ status: 404, code: 'resource.not-found' });
  });
});

describe('at the front door', () => {
  const path = '/api/v1/master-admin/meetings';

  it('a meeting is answered as it is stored, whatever its texts and times are', async () => {
    const { token } = await app.signIn('role-super-admin');
    const texts = { title: "it's ?? $1 \\?", agenda: '\\', questions: '?', follow_up_tasks: '🙂\n"two"' };
    const body = { ...texts, type: 'demo', scheduled_at: '2026-11-21T10:00:00.1200004+05:30' };
    const created = await app.call('POST', path, { token, body });
    expect(created).toMatchObject({ status: 201, body: { ...texts, scheduled_at: '2026-11-21T04:30:00.12Z', outcome: null, template_id: null } });
    const at = `${path}/${created.body.id}`;
    expect((await app.call('GET', at, { token })).body).toEqual(created.body);
    const changed = await app.call('PATCH', at, { token, body: { outcome: 'held', agenda: null } });
    expect(changed).toMatchObject({ status: 200, body: { ...texts, agenda: null, outcome: 'held' } });
    expect((await app.call('GET', at, { token })).body).toEqual(changed.body);
    const planned = await app.call('POST', `${at}/plan`, { token, body: { scheduled_at: '2026-12-01T09:00:00Z' } });
    expect(planned).toMatchObject({ status: 201, body: { title: texts.title, template_id: created.body.id, outcome: null } });
    expect((await app.call('DELETE', `${path}/${planned.body.id}`, { token })).status).toBe(204);
    expect((await app.call('GET', `${path}/${planned.body.id}`, { token })).status).toBe(404);
  });

  it('a reference to what is not there names the field', async () => {
    const { token } = await app.signIn('role-super-admin');
    const body = { title: 'Nobody’s', type: 'demo', prospect_id: 2_000_000_000 };
    const refused = await app.call('POST', path, { token, body });
    expect(refused).toMatchObject({
      status: 422,
      body: { code: 'request.invalid', errors: [{ pointer: '/prospect_id' }] },
    });
  });
});
