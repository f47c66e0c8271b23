import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { readPostgresMessages } from './postgres-message-reader.ts';

/**
 * How long answers are held back. Whatever a client sends without waiting for an answer is then here before the answer
 * has gone out, so that a pipelined batch counts as the one round trip that it is, on any machine.
 */
const holdBackMs = 4;

/** A relay before PostgreSQL that counts how often clients wait for an answer. */
export interface CountingProxy {
  readonly port: number;
  /** Round trips of all connections so far, but for the one that listens for notices. */
  roundTrips(): number;
  close(): Promise<void>;
}

/** Starts the relay. It reads message types only (PostgreSQL protocol 3, section 54.7): Query and Sync ask, ReadyForQuery answers. */
export async function startCountingProxy(target: { host: string; port: number }): Promise<CountingProxy> {
  const sockets = new Set<Socket>();
  let total = 0;
  const server = createServer((client) => {
    const upstream = connect(target);
    let waiting = 0;
    let isListener = false;
    let trips = 0;
    const asked = readPostgresMessages(true, (type, message) => {
      if (type !== 'Q' && type !== 'S') return true;
      if (type === 'Q' && /^listen /i.test(message.toString('latin1', 5)) && !isListener) {
        isListener = true;
        total -= trips;
      }
      if (waiting === 0) {
        trips += 1;
        if (!isListener) total += 1;
      }
      waiting += 1;
      return true;
    });
    const answered = readPostgresMessages(false, (type) => {
      if (type === 'Z') waiting = Math.max(0, waiting - 1);
      return true;
    });
    client.on('data', (chunk) => {
      asked(chunk);
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      setTimeout(() => {
        answered(chunk);
        if (!client.destroyed) client.write(chunk);
      }, holdBackMs);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        setTimeout(() => other.destroy(), holdBackMs * 2);
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    roundTrips: () => total,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
