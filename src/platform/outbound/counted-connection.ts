import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import pg from 'pg';

/** A server sent more than it may. */
export class RemoteTooLargeError extends Error {
  override readonly name = 'RemoteTooLargeError';
}

/** A server sent what is no message of the protocol. */
export class RemoteProtocolError extends Error {
  override readonly name = 'RemoteProtocolError';
}

/** How much one connection may receive. */
export interface ReceiveBounds {
  readonly totalBytes: number;
  readonly messageBytes: number;
  readonly messages: number;
}

/** The type byte and the length, which counts itself. */
const headBytes = 5;
const lengthBytes = 4;
const errorResponse = 'E'.charCodeAt(0);
const noticeResponse = 'N'.charCodeAt(0);

/** What `pg.Connection` does though its types do not say so. */
const DriverConnection = pg.Connection as unknown as new (config: object) => EventEmitter & {
  readonly stream: Duplex;
  attachListeners(stream: EventEmitter): void;
};

/**
 * A connection of the driver that counts what it receives, behind TLS, before the driver's parser sees it. The parser trusts
 * the server: it waits for messages of any length, keeps any number of rows, and loops for ever on an error without fields.
 */
export class CountedConnection extends DriverConnection {
  readonly #bounds: ReceiveBounds;

  constructor(config: object, bounds: ReceiveBounds) {
    super(config);
    this.#bounds = bounds;
  }

  /** Called by the driver with the stream that carries messages: the socket, or the TLS socket on it. */
  override attachListeners(stream: Duplex): void {
    const counter = new MessageCounter(this.#bounds);
    const counted = new EventEmitter();
    super.attachListeners(counted);
    const receive = (chunk: Buffer) => {
      try {
        counter.count(chunk);
        // The parser throws on bodies that are shorter than they say, and the client on messages out of order.
        counted.emit('data', chunk);
      } catch (error) {
        stream.off('data', receive);
        const isBound = error instanceof RemoteTooLargeError || error instanceof RemoteProtocolError;
        this.emit('error', isBound ? error : new RemoteProtocolError('The server does not speak the protocol.', { cause: error }));
        stream.destroy();
      }
    };
    stream.on('data', receive);
    stream.once('end', () => counted.emit('end'));
  }
}

class MessageCounter {
  readonly #bounds: ReceiveBounds;
  readonly #head = Buffer.alloc(headBytes);
  #headFilled = 0;
  /** Bytes of the body that are still to come. */
  #left = 0;
  #bodyBytes = 0;
  /** The last two bytes of the body so far. */
  #tail: [number, number] = [0, 0];
  #totalBytes = 0;
  #messages = 0;

  constructor(bounds: ReceiveBounds) {
    this.#bounds = bounds;
  }

  /** @throws RemoteTooLargeError, RemoteProtocolError at the first byte that is beyond a bound. */
  count(chunk: Buffer): void {
    this.#totalBytes += chunk.length;
    if (this.#totalBytes > this.#bounds.totalBytes) throw new RemoteTooLargeError('The answer is too large.');
    let at = 0;
    while (at < chunk.length) {
      if (this.#headFilled < headBytes) {
        const copied = chunk.copy(this.#head, this.#headFilled, at);
        this.#headFilled += copied;
        at += copied;
        if (this.#headFilled === headBytes) this.#begin();
      } else {
        const taken = Math.min(this.#left, chunk.length - at);
        this.#keepTail(chunk.subarray(at, at + taken));
        this.#left -= taken;
        at += taken;
      }
      if (this.#headFilled === headBytes && this.#left === 0) this.#finish();
    }
  }

  #begin(): void {
    const length = this.#head.readUInt32BE(1);
    if (length < lengthBytes) throw new RemoteProtocolError('A message has no length.');
    this.#bodyBytes = length - lengthBytes;
    if (this.#bodyBytes > this.#bounds.messageBytes) throw new RemoteTooLargeError('A message is too large.');
    this.#messages += 1;
    if (this.#messages > this.#bounds.messages) throw new RemoteTooLargeError('There are too many messages.');
    this.#left = this.#bodyBytes;
    this.#tail = [0, 0];
  }

  #keepTail(part: Buffer): void {
    const last = part.at(-1);
    if (last !== undefined) this.#tail = [part.at(-2) ?? this.#tail[1], last];
  }

  #finish(): void {
    const type = this.#head[0];
    if ((type === errorResponse || type === noticeResponse) && !this.#endsFields()) {
      throw new RemoteProtocolError('A message of an error has no end.');
    }
    this.#headFilled = 0;
  }

  /** Whether the parser finds the end of the fields inside of the body: it is one zero byte, or ends in two. */
  #endsFields(): boolean {
    const [before, last] = this.#tail;
    return last === 0 && (this.#bodyBytes === 1 || (this.#bodyBytes > 1 && before === 0));
  }
}
