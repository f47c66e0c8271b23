import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A TCP relay in front of a server, by which a test takes that server away and gives it back. */
export interface CuttableProxy {
  readonly host: string;
  readonly port: number;
  /** Breaks every connection and refuses new ones. */
  cut(): void;
  /** Keeps the connections and lets nothing through, as a router does that has forgotten them. */
  hold(): void;
  /** {@link hold} for what the server sends, now and later: it gets every request, and no answer arrives. */
  holdAnswers(): void;
  /**
   * {@link hold} for what PostgreSQL sends to the connections that listen for notifications, now and later. All others work on.
   */
  holdListeners(): void;
  /** Lets everything through again; what was held arrives late. */
  mend(): void;
  close(): Promise<void>;
}

/** Starts a relay to `host:port`. */
export async function startCuttableProxy(target: { host: string; port: number }): Promise<CuttableProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  let isHeld = false;
  let areAnswersHeld = false;
  let areListenersHeld = false;
  const answering = new Set<Socket>();
  /** What answers on the connections over which a `listen` has been sent. */
  const listeners = new Set<Socket>();
  const server = createServer((inside) => {
    if (isCut) {
      inside.destroy();
      return;
    }
    const outside = connect(target);
    for (const [one, other] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
      if (isHeld) one.pause();
    }
    answering.add(outside);
    outside.on('close', () => answering.delete(outside));
    if (areAnswersHeld) outside.pause();
    inside.on('data', (chunk) => {
      if (!chunk.includes('listen ')) return;
      listeners.add(outside);
      outside.on('close', () => listeners.delete(outside));
      if (areListenersHeld) outside.pause();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    cut: () => {
      isCut = true;
      drop();
    },
    hold: () => {
      isHeld = true;
      for (const socket of sockets) socket.pause();
    },
    holdAnswers: () => {
      areAnswersHeld = true;
      for (const socket of answering) socket.pause();
    },
    holdListeners: () => {
      areListenersHeld = true;
      for (const socket of listeners) socket.pause();
    },
    mend: () => {
      isCut = false;
      isHeld = false;
      areAnswersHeld = false;
      areListenersHeld = false;
      for (const socket of sockets) socket.resume();
    },
    close: async () => {
      drop();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
