import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { readPostgresMessages } from './postgres-message-reader.ts';

/** Where a connection is cut: the commit never arrives, or it is carried out and its answer is lost. */
export type CutPoint = 'before-commit' | 'after-commit';

/** A relay before PostgreSQL that cuts a connection at the commit of a command. */
export interface CommitProxy {
  readonly host: string;
  readonly port: number;
  /**
   * Cuts the connection of the next transaction that has claimed or taken a command, once.
   *
   * @param onCut called at the cut, before whoever has lost the connection knows of it.
   * @param statement what the transaction has said instead.
   */
  cutNext(point: CutPoint, onCut?: () => void, statement?: RegExp): void;
  /** How often a connection was cut so far. */
  cuts(): number;
  close(): Promise<void>;
}

/** What a transaction says that claims a command (API) or takes it (activity). */
const takesCommand = /insert into idempotency_keys|update "idempotency_keys" set "state" = \$1 where "tenant_id"/;

/** Starts the relay. It reads the extended query protocol (PostgreSQL protocol 3, section 54.7): Parse and Bind, CommandComplete. */
export async function startCommitProxy(target: { host: string; port: number }): Promise<CommitProxy> {
  const sockets = new Set<Socket>();
  let armed: CutPoint | null = null;
  let atCut = () => {};
  let marks = takesCommand;
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = connect(target);
    const cut = () => {
      cuts += 1;
      atCut();
      client.destroy();
      upstream.destroy();
    };
    const statements = new Map<string, string>();
    let isCommand = false;
    let losesAnswer = false;
    const fromClient = readPostgresMessages(true, (type, message) => {
      const [first = '', second = ''] = type === 'P' || type === 'B' ? message.toString('latin1', 5).split('\0') : [];
      if (type === 'P') statements.set(first, second);
      const text = type === 'B' ? (statements.get(second) ?? '') : '';
      if (marks.test(text)) isCommand = true;
      if (text === 'rollback') isCommand = false;
      if (text === 'commit' && isCommand) {
        isCommand = false;
        if (armed === 'before-commit') {
          armed = null;
          cut();
          return false;
        }
        losesAnswer = armed === 'after-commit';
        if (losesAnswer) armed = null;
      }
      upstream.write(message);
      return true;
    });
    const fromServer = readPostgresMessages(false, (type, message) => {
      if (losesAnswer && type === 'C' && message.toString('latin1', 5) === 'COMMIT\0') {
        cut();
        return false;
      }
      client.write(message);
      return true;
    });
    client.on('data', fromClient);
    upstream.on('data', fromServer);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      // Messages are passed on one by one; together with delayed acknowledgements each would wait for 40 ms.
      one.setNoDelay(true);
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    cutNext: (point, onCut = () => {}, statement = takesCommand) => {
      armed = point;
      marks = statement;
      atCut = onCut;
    },
    cuts: () => cuts,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
