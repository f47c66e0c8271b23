import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { readPostgresMessages } from './postgres-message-reader.ts';

/** What a hostile server does to whoever reads it; chosen by the name of the database. */
export const hostileModes = [
  'honest',
  'honest_open',
  'seven_bytes',
  'error_without_end',
  'notice_without_end',
  'error_inside_query',
  'short_length',
  'huge_message',
  'huge_row',
  'endless_rows',
  'endless_empty_rows',
  'endless_notices',
  'endless_scram',
  'rows_without_query',
  'other_columns',
  'deep_row',
  'no_json',
  'expanding_json',
  'drip',
] as const;

export type HostileMode = (typeof hostileModes)[number] | `body_${string}`;

/** A server that speaks PostgreSQL's protocol as far as it pleases. */
export interface HostilePostgres {
  readonly host: string;
  readonly port: number;
  /** How often somebody has connected, by mode. */
  connections(mode: HostileMode): number;
  /** Sends these bytes in the mode `body_<name>`, after the query, and then its end. */
  readonly bodies: Map<string, Buffer>;
  close(): Promise<void>;
}

const message = (type: string, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const int16 = (value: number) => Buffer.from([(value >> 8) & 255, value & 255]);
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const text = (value: string) => Buffer.from(`${value}\0`);
const signedIn = Buffer.concat([message('R', int32(0)), message('S', text('client_encoding'), text('UTF8')), message('Z', Buffer.from('I'))]);
const ready = message('Z', Buffer.from('T'));
const column = (name: string) => Buffer.concat([text(name), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)]);
const value = (given: string) => Buffer.concat([int32(Buffer.byteLength(given)), Buffer.from(given)]);
const row = (...values: string[]) => message('D', int16(values.length), ...values.map(value));

/** What stands in front of the rows of a query in the extended protocol. */
const beforeRows = (columns = ['id', 'payload']) =>
  Buffer.concat([message('1'), message('2'), message('T', int16(columns.length), ...columns.map(column))]);
const afterRows = (count: number) => Buffer.concat([message('C', text(`SELECT ${count}`)), ready]);
const rows = (...lines: Buffer[]) => Buffer.concat([beforeRows(), ...lines, afterRows(lines.length)]);
const bare = (type: string, length: number) => Buffer.concat([Buffer.from(type, 'latin1'), int32(length)]);

/** What is sent in place of a sign-in. */
const atSignIn: Partial<Record<HostileMode, Buffer>> = {
  seven_bytes: Buffer.concat([bare('T', 6), int16(0x7530)]),
  error_without_end: bare('E', 4),
  notice_without_end: bare('N', 4),
  short_length: bare('R', 3),
  rows_without_query: row('1', '{}'),
};

/** What is sent for the query. */
const atQuery: Partial<Record<HostileMode, () => Buffer>> = {
  honest: () => rows(row('1', '{"id": 1}'), row('2', '{"id": 2}')),
  honest_open: () => rows(row('1', '{"id": 1}')),
  error_inside_query: () => message('E', Buffer.from('SERROR\0CXX000\0Mnobody ends this')),
  huge_message: () => bare('D', 900 * 1024 * 1024),
  other_columns: () => Buffer.concat([beforeRows(['__proto__', 'constructor', 'then']), row('1', '2', '3'), afterRows(1)]),
  deep_row: () => rows(row('1', `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`)),
  no_json: () => rows(row('1', '{"id": ')),
  // Three bytes of text become more than fifty of memory.
  expanding_json: () => rows(...Array.from({ length: 8 }, (_, n) => row(String(n), `{"a":[${'{},'.repeat(340_000)}1]}`))),
};

/** What is sent again and again for as long as the socket takes it. */
const endless: Partial<Record<HostileMode, { first: Buffer; again: Buffer }>> = {
  huge_row: { first: Buffer.concat([beforeRows(), bare('D', 900 * 1024 * 1024), int16(1), int32(900 * 1024 * 1024 - 10)]), again: Buffer.alloc(1024 * 1024, 'a') },
  endless_rows: { first: beforeRows(), again: Buffer.concat(Array.from({ length: 1_000 }, () => row('1', `{"a":"${'x'.repeat(1_000)}"}`))) },
  endless_empty_rows: { first: beforeRows(), again: Buffer.concat(Array.from({ length: 10_000 }, () => message('D', int16(0)))) },
  endless_notices: { first: Buffer.alloc(0), again: Buffer.concat(Array.from({ length: 5_000 }, () => message('N', Buffer.from('SNOTICE\0Mx\0\0')))) },
};

function sendEndlessly(socket: Socket, { first, again }: { first: Buffer; again: Buffer }): void {
  const more = () => {
    while (!socket.destroyed && socket.write(again));
  };
  socket.write(first);
  socket.on('drain', more);
  more();
}

/** A byte now and then, so that no silence tells that nothing comes. */
function drip(socket: Socket): void {
  const bytes = rows(row('1', '{}'));
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed) return clearInterval(timer);
    socket.write(bytes.subarray(at, at + 1));
    at = (at + 1) % 15;
  }, 200);
  socket.once('close', () => clearInterval(timer));
}

/** Asks for the most expensive proof of a password that the driver takes, over and over. */
function scram(socket: Socket, received: Buffer): void {
  const client = /r=([^,]+)/.exec(received.toString('latin1'))?.[1] ?? '';
  const challenge = `r=${client}more,s=${Buffer.alloc(16, 1).toString('base64')},i=100000`;
  socket.write(message('R', int32(11), Buffer.from(challenge)));
}

/** Starts one on loopback. */
export async function startHostilePostgres(): Promise<HostilePostgres> {
  const counts = new Map<HostileMode, number>();
  const bodies = new Map<string, Buffer>();
  const sockets = new Set<Socket>();
  // Half open: a server that is told goodbye need not go.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    let mode: HostileMode = 'honest';
    const answer = (type: string, received: Buffer): void => {
      if (type === '') {
        const given = /\0database\0([^\0]+)\0/.exec(received.toString('latin1'))?.[1] ?? 'honest';
        mode = given as HostileMode;
        counts.set(mode, (counts.get(mode) ?? 0) + 1);
        if (mode === 'endless_scram') socket.write(message('R', int32(10), text('SCRAM-SHA-256'), Buffer.from('\0')));
        else socket.write(atSignIn[mode] ?? signedIn);
      } else if (type === 'p') {
        scram(socket, received);
      } else if (type === 'Q') {
        socket.write(Buffer.concat([message('C', text('BEGIN')), ready]));
      } else if (type === 'S') {
        const stream = endless[mode];
        if (stream !== undefined) return sendEndlessly(socket, stream);
        if (mode === 'drip') return drip(socket);
        // What was generated is all there is, so that a reader which wants more does not wait for it.
        if (mode.startsWith('body_')) socket.end(bodies.get(mode.slice(5)) ?? Buffer.alloc(0));
        else socket.write(atQuery[mode]?.() ?? Buffer.alloc(0));
      } else if (type === 'X' && mode !== 'honest_open') {
        socket.end();
      }
    };
    socket.on('data', readPostgresMessages(true, (type, received) => {
      answer(type, received);
      return true;
    }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: '127.0.0.1',
    port,
    bodies,
    connections: (mode) => counts.get(mode) ?? 0,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
