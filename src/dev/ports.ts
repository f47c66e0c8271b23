import { randomInt } from 'node:crypto';
import { createConnection, createServer } from 'node:net';

import { errorCode, StartupError } from './startup-error.ts';

/** Everything the embedded stack opens listens here and nowhere else. */
export const loopback = '127.0.0.1';

/**
 * Below the ranges from which systems take ports for outgoing connections (Linux from 32768, others from 49152): one of
 * those may be taken between the check here and its use.
 */
const freePortRange = { from: 15_000, to: 32_000 } as const;

/** A TCP port on the loopback address that is free now. */
export async function freePort(): Promise<number> {
  for (;;) {
    try {
      return await listenOnce(randomInt(freePortRange.from, freePortRange.to));
    } catch (error) {
      if (errorCode(error) !== 'EADDRINUSE') throw error;
    }
  }
}

/**
 * Fails with one line that names the port, what it is for and how to change it, when something listens on it.
 *
 * @param port the port that is about to be used
 * @param use what it is for, e.g. `Temporal`
 * @param remedy what the person can do besides stopping the other program, e.g. `set TEMPORAL_PORT to another port`
 * @throws StartupError when the port is taken or may not be opened
 */
export async function assertFreePort(port: number, use: string, remedy: string): Promise<void> {
  try {
    await listenOnce(port);
  } catch (error) {
    switch (errorCode(error)) {
      case 'EADDRINUSE':
        throw new StartupError(
          `Port ${port} (${use}) is in use by another program: stop that program or ${remedy}.`,
          { cause: error },
        );
      case 'EACCES':
        throw new StartupError(`Port ${port} (${use}) may not be opened by this user: ${remedy}.`, { cause: error });
      default:
        throw error;
    }
  }
}

/**
 * Tries to open a TCP connection and closes it at once.
 *
 * @returns undefined when something accepted it, else why not
 */
export function whyNoAnswer(host: string, port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: timeoutMs });
    const settle = (reason: string | undefined) => {
      socket.destroy();
      resolve(reason);
    };
    socket.once('connect', () => settle(undefined));
    socket.once('timeout', () => settle(`no answer within ${timeoutMs / 1_000} s`));
    socket.once('error', (error) => settle(error.message));
  });
}

/** Listens on the port briefly and returns its number. */
function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host: loopback, exclusive: true }, () => {
      server.close(() => resolve(port));
    });
  });
}
