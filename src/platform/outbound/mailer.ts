import { createTransport } from 'nodemailer';
import type { Pool } from 'pg';
import type { Database } from '../database/database.ts';
import type { Env } from '../env.ts';
import { Problem } from '../problem.ts';

/** A plain-text message to one person. */
export interface Mail {
  /** One address. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Sends mail. */
export interface Mailer {
  /** Where mail goes: to a mail server, into the development outbox, or nowhere because neither is there. */
  readonly kind: 'smtp' | 'outbox' | 'none';
  /**
   * Hands one message over; returns when the mail server has taken it.
   *
   * @throws Problem 503 when the server refuses or is away, or when none is configured in production
   */
  send(mail: Mail): Promise<void>;
  close(): void;
}

/** Table of the development outbox; read at `GET /dev/outbox`. */
const outboxTable = 'development_mails';

const smtpTimeoutMs = 10_000;

/** One address, no display name, no list: what comes after `@` is the mail server's business. */
const plainAddress = /^[^\s@<>,;:"]{1,64}@[^\s@<>,;:"]{1,255}$/;

/**
 * Opens the way for mail: SMTP when `SMTP_URL` is set, otherwise the development outbox, and in production an error
 * for each message, because a code that nobody receives must not look as if it were sent.
 */
export function createMailer(options: {
  env: Pick<Env, 'SMTP_URL' | 'MAIL_FROM' | 'NODE_ENV'>;
  db: Pick<Database, 'readPool'>;
}): Mailer {
  const { SMTP_URL, MAIL_FROM, NODE_ENV } = options.env;
  if (SMTP_URL !== undefined) return smtpMailer(SMTP_URL, MAIL_FROM);
  return NODE_ENV === 'production' ? missingMailer() : outboxMailer(options.db.readPool);
}

function smtpMailer(smtpUrl: string, from: string): Mailer {
  const transport = createTransport({
    url: smtpUrl,
    pool: true,
    connectionTimeout: smtpTimeoutMs,
    greetingTimeout: smtpTimeoutMs,
    socketTimeout: smtpTimeoutMs,
    // A text may quote what people wrote: it is never read as the name of a file or of an address to fetch.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    kind: 'smtp',
    async send({ to, subject, text }) {
      assertPlainAddress(to);
      try {
        await transport.sendMail({ from, to, subject: singleLine(subject), text });
      } catch (cause) {
        throw mailUnavailable('The mail server did not take the message.', cause);
      }
    },
    close: () => transport.close(),
  };
}

function outboxMailer(pool: Pool): Mailer {
  return {
    kind: 'outbox',
    async send({ to, subject, text }) {
      assertPlainAddress(to);
      await pool.query(`insert into ${outboxTable} (recipient, subject, body) values ($1, $2, $3)`, [
        to,
        singleLine(subject),
        text,
      ]);
    },
    close: () => undefined,
  };
}

function missingMailer(): Mailer {
  return {
    kind: 'none',
    send: () => Promise.reject(mailUnavailable('No mail server is configured.')),
    close: () => undefined,
  };
}

function assertPlainAddress(address: string): void {
  if (!plainAddress.test(address)) {
    throw new TypeError('A mail goes to one plain address.');
  }
}

/** A subject is one header line. */
function singleLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function mailUnavailable(detail: string, cause?: unknown): Problem {
  return new Problem({ code: 'service.unavailable', detail, retryAfterSeconds: 30, cause });
}
