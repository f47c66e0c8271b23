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
  /** Where mail is sent: to a mail server, into the development outbox, or nowhere. */
  readonly kind: 'smtp' | 'outbox' | 'none';
  /**
   * Sends one message; returns when the mail server has accepted it.
   *
   * @throws Problem 503 when the server refuses it or is unavailable, or when none is configured in production.
   */
  send(mail: Mail): Promise<void>;
  close(): void;
}

/** Table of the development outbox; read at `GET /dev/outbox`. */
const outboxTable = 'development_mails';

const smtpTimeoutMs = 10_000;

/** One address, without display name or list; the mail server decides about what follows `@`. */
const plainAddress = /^[^\s@<>,;:"]{1,64}@[^\s@<>,;:"]{1,255}$/;

/**
 * Creates the mailer: SMTP when `SMTP_URL` is set, otherwise the development outbox; in production without `SMTP_URL` each
 * message fails, because a code that nobody receives must not appear as sent.
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
  let opened: ReturnType<typeof openTransport> | undefined;
  const openTransport = async () => {
    const { createTransport } = await import('nodemailer'); // most processes never send mail
    return createTransport({
      url: smtpUrl,
      pool: true,
      connectionTimeout: smtpTimeoutMs,
      greetingTimeout: smtpTimeoutMs,
      socketTimeout: smtpTimeoutMs,
      // A text may quote user input, which must never be used as a file name or an address to fetch.
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  };
  return {
    kind: 'smtp',
    async send({ to, subject, text }) {
      assertPlainAddress(to);
      try {
        const transport = await (opened ??= openTransport());
        await transport.sendMail({ from, to, subject: singleLine(subject), text });
      } catch (cause) {
        throw mailUnavailable('The mail server did not take the message.', cause);
      }
    },
    close: () => void opened?.then((transport) => transport.close(), () => undefined),
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
