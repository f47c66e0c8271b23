import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

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
    const asked = messageReader(true, (type, body) => {
      if (type !== 'Q' && type !== 'S') return;
      if (type === 'Q' && /^listen /i.test(body.toString('latin1')) && !isListener) {
        isListener = true;
        total -= trips;
      }
      if (waiting === 0) {
        trips += 1;
        if (!isListener) total += 1;
      }
      waiting += 1;
    });
    const answered = messageReader(false, (type) => {
      if (type === 'Z') waiting = Math.max(0, waiting - 1);
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

/** Cuts a stream into messages: type byte, length, body. A client's first message, the start-up, has no type. */
function messageReader(fromClient: boolean, onMessage: (type: string, body: Buffer) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  let isStarted = !fromClient;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const header = isStarted ? 5 : 4;
      if (rest.length < header) return;
      const length = rest.readInt32BE(header - 4) + header - 4;
      if (rest.length < length) return;
      if (isStarted) onMessage(String.fromCharCode(rest[0] ?? 0), rest.subarray(5, length));
      isStarted = true;
      rest = rest.subarray(length);
    }
  };
}
