import type { AddressInfo, Server } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Pool } from 'pg';
import { createMailer } from '../../../src/platform/outbound/mailer.ts';
import type { Mailer } from '../../../src/platform/outbound/mailer.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { smtpServer } from '../../support/servers/smtp-server.ts';
import { openTestPool } from '../../support/test-pool.ts';

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openTestPool({ connectionString: database.appUrl });
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

describe('mail by SMTP', () => {
  const received: string[] = [];
  let refuses = false;
  let server: Server;
  let mailer: Mailer;

  beforeAll(async () => {
    server = smtpServer(received, () => refuses);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  });

  beforeEach(() => {
    received.length = 0;
    refuses = false;
    const { port } = server.address() as AddressInfo;
    const env = {
      SMTP_URL: `smtp://127.0.0.1:${port}`,
      MAIL_FROM: 'castellan@example.com',
      NODE_ENV: 'production' as const,
    };
    mailer = createMailer({ env, db: { readPool: pool } });
  });

  afterEach(() => mailer.close());
  afterAll(() => new Promise((done) => server.close(done)));

  it('sends a plain message to the server', async () => {
    await mailer.send({ to: 'ana@example.com', subject: 'Your code', text: 'Your code is 123456\n' });
    expect(mailer.kind).toBe('smtp');
    expect(received).toHaveLength(1);
    expect(received[0]).toMatch(/^From: castellan@example\.com$/m);
    expect(received[0]).toMatch(/^To: ana@example\.com$/m);
    expect(received[0]).toMatch(/^Subject: Your code$/m);
    expect(received[0]).toContain('Your code is 123456');
  });

  it('does not permit injected headers or recipients', async () => {
    await mailer.send({ to: 'ana@example.com', subject: 'Hi\r\nBcc: eve@example.com', text: 'x' });
    expect(received[0]).toMatch(/^Subject: Hi Bcc: eve@example\.com$/m);
    expect(received[0]).not.toMatch(/^Bcc:/m);
    for (const to of [
      'a@example.com, eve@example.com',
      'a@example.com\r\nBcc: eve@example.com',
      'Ana <a@example.com>',
      'ana',
    ]) {
      await expect(mailer.send({ to, subject: 'x', text: 'x' })).rejects.toBeInstanceOf(TypeError);
    }
    expect(received).toHaveLength(1);
  });

  it('fails with 503 when the server refuses or is unavailable', async () => {
    refuses = true;
    const unavailable = { code: 'service.unavailable', status: 503 };
    await expect(mailer.send({ to: 'ana@example.com', subject: 'x', text: 'x' })).rejects.toMatchObject(unavailable);
    const env = { SMTP_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'a@example.com', NODE_ENV: 'production' as const };
    const unreachable = createMailer({ env, db: { readPool: pool } });
    await expect(unreachable.send({ to: 'ana@example.com', subject: 'x', text: 'x' })).rejects.toMatchObject(unavailable);
    unreachable.close();
  });
});

describe('mail without a server', () => {
  it('is stored in the outbox in development', async () => {
    const env = { SMTP_URL: undefined, MAIL_FROM: 'a@example.com', NODE_ENV: 'development' as const };
    const mailer = createMailer({ env, db: { readPool: pool } });
    expect(mailer.kind).toBe('outbox');
    await mailer.send({ to: 'ana@example.com', subject: 'Your code', text: 'Your code is 123456\n' });
    const { rows } = await pool.query('select recipient, subject, body from development_mails');
    expect(rows).toEqual([{ recipient: 'ana@example.com', subject: 'Your code', body: 'Your code is 123456\n' }]);
  });

  it('is refused in production, so that no message is lost unnoticed', async () => {
    const env = { SMTP_URL: undefined, MAIL_FROM: 'a@example.com', NODE_ENV: 'production' as const };
    const mailer = createMailer({ env, db: { readPool: pool } });
    expect(mailer.kind).toBe('none');
    await expect(mailer.send({ to: 'ana@example.com', subject: 'x', text: 'x' })).rejects.toMatchObject({
      status: 503,
    });
  });
});
