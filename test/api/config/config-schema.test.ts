import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findRefusedSchemas } from '../../../src/dev/checks/check-schemas.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { configDriver } from '../../support/drivers/config.ts';
import type { ConfigDriver } from '../../support/drivers/config.ts';
import { eventually } from '../../support/eventually.ts';
import { makePerson, otherTenantId } from '../../support/people.ts';
import { ProposalRequest } from '../../../src/api/config/config.schemas.ts';
import { payloadDigest } from '../../../src/platform/security/digest.ts';
import { factorProof } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { startInProcessWorker } from '../../support/temporal/worker-in-process.ts';
import type { InProcessWorker } from '../../support/temporal/worker-in-process.ts';

let app: TestApi;
let worker: InProcessWorker;
let admin: SignedIn;
let drive: ConfigDriver;
let neighbour: ConfigDriver;

beforeAll(async () => {
  app = await startTestApi();
  worker = await startInProcessWorker(app);
  admin = await app.signIn('role-super-admin');
  drive = configDriver(app, admin);
  neighbour = configDriver(app, await makePerson(app, otherTenantId, 'role-super-admin'));
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

const propose = (schema: object, document: unknown, by = drive) =>
  by.propose({ environment: 'development', schema, document: document as object });
const withPattern = (pattern: string) => ({ type: 'object', properties: { a: { type: 'string', pattern } } });
const issue = ({ status, body }: Answer) => [status, body.errors?.[0]?.pointer];
const unsupported = expect.stringMatching(/lookaround, back references/);

/** Schemas whose definitions refer to each other, twice each. */
function chain(length: number, last: object): object {
  const definitions: Record<string, object> = { d0: last };
  for (let n = 1; n <= length; n += 1) definitions[`d${n}`] = { allOf: [{ $ref: `#/$defs/d${n - 1}` }, { $ref: `#/$defs/d${n - 1}` }] };
  return { $defs: definitions, properties: { a: { $ref: `#/$defs/d${length}` } } };
}

describe('T-22: patterns', () => {
  it.each([
    ['a lookahead', '(?=a)b'],
    ['a negative lookahead', '(?!a)b'],
    ['a lookbehind', '(?<!a)b'],
    ['a back reference', '(a)\\1'],
    ['a named back reference', '(?<n>a)\\k<n>'],
    ['a named back reference behind a backslash', '(?<n>a)\\\\\\k<n>'],
    ['a long name of a property', '\\p{Letter}'],
    ['a script', '\\p{Script=Greek}'],
    ['a repetition above 1,000', 'a{1001}'],
  ])('with %s are refused at their place', async (_, pattern) => {
    const answer = await propose(withPattern(pattern), { a: 'b' });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer: '/changes/0/schema/properties/a/pattern', detail: unsupported }] } });
  });

  it.each([
    ['flags inside', '(?i)a', /ECMA-262/],
    ['an escape that means nothing', '\\-', /ECMA-262/],
    ['more than 1,000 characters', 'a'.repeat(1_001), /1000|longer/],
    ['too large a program', '(?:a{999}b){1}(?:a{999}b){1}(?:a{999}b){1}', /too large/],
  ])('with %s are refused', async (_, pattern, detail) => {
    const answer = await propose(withPattern(pattern), { a: 'b' });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer: '/changes/0/schema/properties/a/pattern', detail: expect.stringMatching(detail) }] } });
  });

  it.each([
    ['nested repetition', '^(a+)+$', 'aaa', `${'a'.repeat(100_000)}!`],
    ['an e-mail address', '^[\\w.+-]+@[\\w-]+(\\.[\\w-]+)+$', 'a@b.example', 'a@b'],
    ['a category of Unicode', '^\\p{L}+$', 'Καλημέρα', '1'],
    ['a code point', '^\\u{1F600}$', '😀', 'x'],
    ['an escaped backslash before a k', '^\\\\k<n>$', '\\k<n>', 'k<n>'],
    ['white space as ASCII has it', '^\\s$', '\t', '\u00a0'],
  ])('with %s accept and refuse', async (_, pattern, right, wrong) => {
    // Another document each time, so that there is something to change.
    const refused = await propose(withPattern(pattern), { a: wrong });
    expect(issue(refused)).toEqual([422, '/changes/0/document/a']);
    const both = { ...withPattern(pattern), properties: { a: { pattern }, b: { type: 'integer' } } };
    expect(issue(await propose(both, { a: right, b: 'x' }))).toEqual([422, '/changes/0/document/b']);
  });

  it('are told apart, in values and in names', async () => {
    const values = { properties: { a: { pattern: '^a$' }, b: { pattern: '^b$' } } };
    expect(issue(await propose(values, { a: 'a', b: 'a' }))).toEqual([422, '/changes/0/document/b']);
    const names = { patternProperties: { '^a': { type: 'string' }, '^b': { type: 'number' } } };
    expect(issue(await propose(names, { a: 'x', b: 'x' }))).toEqual([422, '/changes/0/document/b']);
  });

  it('are not run by another engine beside names that match them', async () => {
    const schema = { properties: { [`${'a'.repeat(40)}!`]: {} }, patternProperties: { '^(a+)+$': {} }, required: ['x'] };
    // It would take that one longer than a check may take, and the schema would be refused instead.
    expect(issue(await propose(schema, {}))).toEqual([422, '/changes/0/document']);
  });
});

describe('T-22: schemas', () => {
  it.each([
    ['a reference elsewhere', { $ref: 'https://schemas.example/a' }, '/changes/0/schema/$ref'],
    ['an asynchronous rule', { $async: true }, '/changes/0/schema/$async'],
    ['too much depth', JSON.parse(`${'{"not":'.repeat(40)}{}${'}'.repeat(40)}`) as object, `/changes/0/schema${'/not'.repeat(32)}`],
    ['too many members', { properties: Object.fromEntries(Array.from({ length: 5_001 }, (_, n) => [`p${n}`, true])) }, '/changes/0/schema'],
    ['too many patterns', { allOf: Array.from({ length: 501 }, (_, n) => ({ pattern: `^${n}` })) }, '/changes/0/schema'],
    ['a pattern in hiding', { properties: { a: { $ref: '#/default/p' } }, default: { p: { pattern: '(?=a)' } } }, '/changes/0/schema'],
    ['no type of JSON', { type: 'nonsense' }, '/changes/0/schema'],
  ])('with %s are refused', async (_, schema, pointer) => {
    expect(issue(await propose(schema, { a: 'x' }))).toEqual([422, pointer]);
  });

  it('may have properties that are called like keywords', async () => {
    const schema = { properties: { $ref: { type: 'string' }, $async: { type: 'string' }, pattern: { type: 'string' } } };
    expect(issue(await propose(schema, { $ref: 1, $async: 'x', pattern: '(?=' }))).toEqual([422, '/changes/0/document/$ref']);
  });

  it('that take time or memory without end are refused, hold up nobody, and leave a judge behind that works', async () => {
    const expensive = [
      propose(chain(34, { type: 'string' }), { a: 'x' }),
      propose(chain(26, { type: 'number' }), { a: 'x' }),
      propose(chain(34, { type: 'number' }), { a: 'x' }),
    ];
    const ordinary = neighbour.propose({ environment: 'development', schema: { required: ['b'] }, document: {} });
    const reads = await readsBeside(expensive);
    // Where other work has left the judge no core, it is not the schema that is to blame.
    const refused = [[422, '/changes/0/schema'], [503, undefined]];
    for (const answer of await Promise.all(expensive)) expect(refused).toContainEqual(issue(answer));
    expect([[422, '/changes/0/document'], [503, undefined]]).toContainEqual(issue(await ordinary));
    await eventually(
      () => propose({ required: ['b'] }, {}),
      (answer) => answer.body.errors?.[0]?.pointer === '/changes/0/document',
    );
    // Each of the three takes two seconds of a core: a process that checks itself would answer between them only.
    expect(reads).toBeGreaterThan(10);
  });

  /** How many reads, one after the other, are answered while something else runs. */
  async function readsBeside(meanwhile: readonly Promise<unknown>[]): Promise<number> {
    let isOver = false;
    const over = Promise.allSettled(meanwhile).then(() => (isOver = true));
    let reads = 0;
    while (!isOver) {
      expect((await app.call('GET', '/admin/environment-config', { token: admin.token })).status).toBe(200);
      reads += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await over;
    return reads;
  }

  it('are not waited for without end: more than a tenant may have waiting are told to come again', async () => {
    // Ten wait behind one that takes its time; the next ones are told so at once.
    const crowd = () =>
      Promise.all([
        propose(chain(34, { type: 'string' }), { a: 'x' }),
        ...Array.from({ length: 16 }, (_, n) => propose({ properties: { a: { minLength: n + 2 } } }, { a: 'x' })),
      ]);
    const answers = await eventually(crowd, (all) => all.some(({ body }) => body.code === 'service.busy'), 60_000);
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status !== 422 && status !== 503)).toEqual([]);
    const busy = answers.find(({ body }) => body.code === 'service.busy');
    expect(busy?.body).toMatchObject({ code: 'service.busy' });
    expect(Number(busy?.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('from before are served and listed, and refused with the next proposal only', async () => {
    const { id } = await drive.started({ environment: 'development', schema: withPattern('^b'), document: { a: 'bee' } });
    await drive.settled(id, 'succeeded');
    const old = JSON.stringify(withPattern('^(?=b)'));
    await asSuperuser(app, `alter table admin_config_versions disable trigger user`);
    await asSuperuser(app, `update admin_config_versions set schema = '${old}' where environment = 'development'`);
    const token = await drive.token('development');
    expect((await drive.read(token, 'development')).body.document).toEqual({ a: 'bee' });
    const kept = await drive.propose({ environment: 'development', document: { a: 'beer' } });
    expect(issue(kept)).toEqual([422, '/changes/0/schema/properties/a/pattern']);
    const [listed] = await findRefusedSchemas(app.env.DATABASE_OWNER_URL ?? '');
    expect(listed).toMatchObject({
      environment: 'development',
      versions: [1],
      issues: [{ pointer: '/properties/a/pattern', detail: unsupported }],
    });
    const mended = await drive.propose({ environment: 'development', schema: withPattern('^b'), document: { a: 'beer' } });
    expect(mended.status).toBe(201);
  });
});

describe('T-22: the proof of a request that is refused', () => {
  it('is used up by the third, and counts no more than what was refused', async () => {
    const body = {
      changes: [{ environment: 'staging', base_version: null, schema: withPattern('^a$'), document: { a: 'b' } }],
      reason: 'a test wants it',
    };
    const path = '/admin/environment-config/proposals';
    // Without a proof it is refused before one is asked for (T-14), so the proof is made for what is sent.
    expect((await app.call('POST', path, { token: admin.token, body })).body.code).toBe('request.invalid');
    const operation = 'proposeConfigChange';
    const payload_digest = payloadDigest({ operation, params: {}, body: ProposalRequest.parse(body) });
    const headers = { 'x-mfa-token': await factorProof(app, admin, { action: operation, payload_digest }) };
    const statuses: number[] = [];
    for (let n = 0; n < 5; n += 1) statuses.push((await app.call('POST', path, { token: admin.token, body, headers })).status);
    expect(statuses).toEqual([422, 422, 422, 403, 403]);
    const audited = await asSuperuser(app, `select 1 from audit_logs where entry::jsonb ->> 'event' = 'mfa.used-up'`);
    expect(audited.length).toBe(1);
  });
});
