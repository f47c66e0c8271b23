import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

/** A service whose answers are no answers; the path says how. */
export interface HostileHttp {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  close(): Promise<void>;
}

const json = { 'content-type': 'application/json' };

/** Starts one on loopback: `/deep` nests, `/endless` does not end, `/bomb` is small and unpacks to 200 MB. */
export async function startHostileHttp(): Promise<HostileHttp> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    response.on('error', () => undefined);
    if (pathname === '/deep') {
      response.writeHead(200, json).end(`{"items":[{"id":1,"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}]}`);
    } else if (pathname === '/bomb') {
      response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(200 * 1024 * 1024)));
    } else {
      const chunk = Buffer.alloc(64 * 1024, 'a');
      const more = () => {
        while (!response.destroyed && response.write(chunk));
      };
      response.writeHead(200, json).on('drain', more);
      more();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
