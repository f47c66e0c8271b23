import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { sliceOf } from './harness.ts';
import type { LoadAnswer, LoadJob, LoadRequest } from './load.ts';

/** End of the header block. */
const headEnd = Buffer.from('\r\n\r\n');
const chunkedHead = /\r\ntransfer-encoding: *chunked/i;
const lastChunk = Buffer.from('\r\n0\r\n\r\n');

/**
 * A process of its own that sends requests: each connection sends the next request when it has its answer (closed loop). It
 * uses plain HTTP/1.1 and does as little as possible, because it shares the machine with what it measures.
 */
process.on('message', (job: LoadJob) => {
  run(job).then(
    (slice) => process.send?.({ slice } satisfies LoadAnswer),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) } satisfies LoadAnswer),
  );
});

async function run(job: LoadJob) {
  const latencies: number[] = [];
  const started = performance.now();
  const end = started + job.durationMs;
  await Promise.all(
    Array.from({ length: job.connections }, async (_, index) => {
      const connection = await Connection.open(new URL(job.url));
      const requests = requestsOf(job, index);
      try {
        while (performance.now() < end) {
          const { value: request } = requests.next();
          if (request === undefined) break;
          const sentAt = performance.now();
          const status = await connection.ask(request);
          if (status !== job.expectedStatus) throw new Error(`${job.url} answered ${status}.`);
          latencies.push(performance.now() - sentAt);
        }
      } finally {
        connection.close();
      }
    }),
  );
  return sliceOf(latencies, performance.now() - started);
}

/** What a connection sends: one request again and again, or a list once. */
function* requestsOf(job: LoadJob, index: number): Generator<Buffer, undefined> {
  if (job.sequences !== undefined) {
    // Encoded before the first one is sent, so that encoding is not measured.
    yield* (job.sequences[index] ?? []).map((request) => encode(job, request));
    return;
  }
  const request = encode(job, job.requests[index % job.requests.length] ?? {});
  for (;;) yield request;
}

function encode(job: LoadJob, request: LoadRequest): Buffer {
  const url = new URL(request.path ?? job.url, job.url);
  const body = request.body === undefined ? '' : JSON.stringify(request.body);
  const lines = [
    `${job.method} ${url.pathname}${url.search} HTTP/1.1`,
    `host: ${url.host}`,
    ...Object.entries(request.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ...(body === '' ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(body)}`]),
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

/** One keep-alive connection with one request at a time. */
class Connection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #answer: PromiseWithResolvers<number> = Promise.withResolvers();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#answer.reject(error));
    socket.on('close', () => this.#answer.reject(new Error('The connection was closed.')));
  }

  static open(url: URL): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: url.hostname, port: Number(url.port) });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new Connection(socket)));
    });
  }

  ask(request: Buffer): Promise<number> {
    this.#answer = Promise.withResolvers();
    this.#socket.write(request);
    return this.#answer.promise;
  }

  close(): void {
    this.#answer.promise.catch(() => undefined);
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const head = this.#received.indexOf(headEnd);
    if (head === -1) return;
    const text = this.#received.toString('latin1', 0, head);
    const status = Number(text.slice(9, 12));
    if (chunkedHead.test(text)) {
      // One request at a time, so the response is complete with its last chunk.
      if (!this.#received.subarray(-lastChunk.length).equals(lastChunk)) return;
      this.#received = Buffer.alloc(0);
      this.#answer.resolve(status);
      return;
    }
    const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
    if (length === undefined && status !== 204 && status !== 304) {
      this.#answer.reject(new Error('An answer without Content-Length.'));
      return;
    }
    const total = head + headEnd.length + Number(length ?? 0);
    if (this.#received.length < total) return;
    this.#received = this.#received.subarray(total);
    this.#answer.resolve(status);
  }
}
