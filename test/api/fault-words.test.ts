import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { invalidInput } from '../../src/platform/input-issues.ts';
import { passwordFaultWords, passwordFaults } from '../../src/platform/security/password.ts';
import { startTestApi } from '../support/api.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { callProven } from '../support/second-factor.ts';

const prospects = '/api/v1/master-admin/prospects';
const contacts = '/api/admin/contacts';

let app: TestApi;
let admin: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
});

afterAll(async () => {
  await app.close();
});

const send = (path: string, body: unknown) => callProven(app, admin, 'POST', path, { body });

describe('U-29: a fault of a file is said as that of a JSON body', () => {
  it.each([
    ['email', 'nobody'],
    ['email', `${'x'.repeat(320)}@people.example`],
    ['phone', 'call me'],
    ['company', 'x'.repeat(256)],
    ['currency', 'ABC'],
    ['next_activity_at', 'tomorrow'],
    ['value_minor', 9_999_999_999_999],
  ])('of a prospect whose %s is %p', async (field, value) => {
    const answer = await send(prospects, { name: 'A', currency: 'INR', [field]: value });
    expect(answer.status).toBe(422);
    const { detail } = answer.body.errors.find(({ pointer }: { pointer: string }) => pointer === `/${field}`);
    expect(detail).toMatch(/^must /);
    const fields = { name: 'A', currency: 'INR', [field]: value };
    const file = `${Object.keys(fields).join(',')}\n${Object.values(fields).join(',')}\n`;
    const options = { token: admin.token, body: file, headers: { 'content-type': 'text/csv' } };
    const imported = await app.call('POST', `${prospects}/import`, options);
    expect(imported).toMatchObject({ status: 422, body: { errors: [{ pointer: `/rows/2/${field}`, detail }] } });
  });

  it.each([
    ['email', 'nobody'],
    ['phone_number', 'call me'],
    ['company', 'x'.repeat(201)],
  ])('of a contact whose %s is %p', async (field, value) => {
    const { body } = await send(contacts, { name: 'A', [field]: value });
    const detail = body.errors[0].detail;
    expect(detail).toMatch(/^must /);
    const imported = await send(`${contacts}/import`, { csv: `name,${field}\nA,${value}\n` });
    expect(imported.body.errors).toEqual([{ pointer: '/csv', detail: `line 2, ${field}: ${detail}` }]);
  });

  it('of a cell that holds no number, and of a value without its currency', async () => {
    const importing = (row: string) =>
      app.call('POST', `${prospects}/import`, {
        token: admin.token,
        body: `name,value_minor,currency\n${row}\n`,
        headers: { 'content-type': 'text/csv' },
      });
    for (const cell of ['12.50', 'many', '1e3', '-5']) {
      expect((await importing(`A,${cell},INR`)).body.errors).toEqual([
        { pointer: '/rows/2/value_minor', detail: 'must be a whole number of minor units, 0 or more, such as 150000 for 1,500.00' },
      ]);
    }
    expect((await importing('A,100,')).body.errors).toEqual([{ pointer: '/rows/2/currency', detail: 'must be given with value_minor' }]);
  });
});

describe('U-29: the sentence of a fault', () => {
  it.each([
    ['must be a text', 'name must be a text.'],
    ['is not on the public Internet.', 'name is not on the public Internet.'],
    ['must be one of a, b, …', 'name must be one of a, b, …'],
    ['There is no such role.', 'There is no such role.'],
  ])('%p ends once', (detail, sentence) => {
    expect(invalidInput([{ pointer: '/name', detail }]).message).toBe(sentence);
  });

  it('ends once for an address that is not public', async () => {
    const channel = { name: 'local', kind: 'webhook', url: 'https://127.0.0.1/hook', events: ['approval.opened'] };
    const { status, body } = await send('/admin/notifications/channels', channel);
    expect(status).toBe(422);
    expect(body.detail).toMatch(/[^.]\.$/);
  });
});

describe('U-29: a weak password', () => {
  it.each([
    ['short one', 'too-short'],
    ['x7!kq'.repeat(30), 'too-long'],
    ['password1234', 'too-common'],
    ['weak@people.example', 'contains-identity'],
    ['abababababab', 'too-uniform'],
  ] as const)('%p is refused in words, with the name of the rule', (password, code) => {
    expect(passwordFaults(password, ['weak@people.example'])).toContain(code);
    expect(passwordFaultWords[code]).toMatch(/^must (not )?\w+ .*[a-z]$/);
  });

  it('is refused so over HTTP', async () => {
    const answer = await send('/admin/users', { full_name: 'Weak', email: 'weak@people.example', password: 'weak@people.example' });
    expect(answer).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/password', detail: passwordFaultWords['contains-identity'], code: 'contains-identity' }] },
    });
  });
});
