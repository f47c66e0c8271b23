import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { type AddressInfo, type Server as SocketServer, createServer as createSocketServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type OutboundHttp, type ResolvedAddress, createOutboundHttp } from '../../../src/platform/outbound/outbound-http.ts';

/** Counts the connections to this machine; the refused targets must cause none. */
let canary: SocketServer;
let canaryPort: number;
let canaryConnections = 0;

/** A target that the operator has allowed; its path decides how it answers. */
let partner: Server;
let partnerPort: number;
const clients: OutboundHttp[] = [];

const portOf = (server: SocketServer): number => (server.address() as AddressInfo).port;
const listen = async (server: SocketServer, host: string): Promise<number> => {
  await new Promise<void>((done) => server.listen(0, host, done));
  return portOf(server);
};

function open(allow: string[] = [], resolve?: (host: string) => Promise<ResolvedAddress[]>): OutboundHttp {
  const client = createOutboundHttp(resolve === undefined ? { allow } : { allow, resolve });
  clients.push(client);
  return client;
}

function answer(incoming: IncomingMessage, response: ServerResponse): void {
  switch (incoming.url) {
    case '/redirect':
      response.writeHead(302, { location: `http://127.0.0.1:${canaryPort}/` }).end();
      return;
    case '/long':
      response.end('x'.repeat(300 * 1024));
      return;
    case '/silent':
      return;
    case '/drip':
      response.writeHead(200);
      setInterval(() => response.write('.'), 20).unref();
      return;
    default:
      response.setHeader('content-type', 'text/plain');
      incoming.pipe(response);
  }
}

beforeAll(async () => {
  canary = createSocketServer((socket) => {
    canaryConnections += 1;
    socket.destroy();
  });
  canaryPort = await listen(canary, '::');
  partner = createServer(answer);
  partnerPort = await listen(partner, '127.0.0.1');
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

afterAll(async () => {
  partner.closeAllConnections();
  await Promise.all([canary, partner].map((server) => new Promise((done) => server.close(done))));
});

describe('outbound HTTP: server-side request forgery (ASVS 1.3.6)', () => {
  const hosts = [
    // one address in every spelling that a URL parser accepts
    '127.0.0.1',
    '127.1',
    '127.0.1',
    '0177.0.0.1',
    '0x7f.0.0.1',
    '0x7f000001',
    '2130706433',
    '017700000001',
    '127.0.0.1.',
    '%31%32%37.0.0.1',
    '１２７.0.0.1',
    '①②⑦.0.0.1',
    '127。0。0。1',
    '0',
    '0.0.0.0',
    '0x0',
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:ffff:127.0.0.1]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b:1::7f00:1]',
    '[2002:7f00:1::]',
    '[fe80::1]',
    '[fd00:ec2::254]',
    'localhost',
    'LOCALHOST',
    'localhost.',
    'ip6-localhost.localhost',
    // other targets that must not be reachable
    '169.254.169.254',
    '0xa9fea9fe',
    '2852039166',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.0.1',
    '100.64.0.1',
    '100.100.100.200',
    '168.63.129.16',
    '224.0.0.1',
    '255.255.255.255',
  ];

  it.each(hosts)('makes no connection to %s', async (host) => {
    const client = open([], (name) =>
      Promise.resolve(
        name.endsWith('localhost')
          ? [
              { address: '127.0.0.1', family: 4 },
              { address: '::1', family: 6 },
            ]
          : [],
      ),
    );
    for (const url of [`https://${host}:${canaryPort}/`, `http://${host}:${canaryPort}/`, `https://${host}/`]) {
      await expect(client.send({ url, method: 'GET' })).rejects.toMatchObject({
        name: 'OutboundRefusedError',
        refusal: 'address',
      });
      await expect(client.check(url)).rejects.toMatchObject({ refusal: 'address' });
    }
    expect(canaryConnections).toBe(0);
  });

  it.each([
    ['a private one', [{ address: '10.0.0.5', family: 4 }]],
    ['the metadata service, as 169.254.169.254.nip.io would', [{ address: '169.254.169.254', family: 4 }]],
    [
      'a public and a private one',
      [
        { address: '93.184.215.14', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ],
    ],
    ['a mapped one', [{ address: '::ffff:127.0.0.1', family: 6 }]],
    ['none at all', []],
  ])('refuses a name whose addresses are %s', async (_what, addresses) => {
    const client = open([], () => Promise.resolve(addresses));
    await expect(client.send({ url: 'https://hook.example/', method: 'POST' })).rejects.toMatchObject({
      refusal: 'address',
    });
  });

  it('connects to the address that was checked, whatever the name resolves to a moment later (rebinding)', async () => {
    let lookups = 0;
    // The first address is exempt, so that the port of the canary passes the first check.
    const client = open(['203.0.113.7'], () => {
      lookups += 1;
      return Promise.resolve([{ address: lookups === 1 ? '203.0.113.7' : '127.0.0.1', family: 4 }]);
    });
    const url = `http://rebind.example:${canaryPort}/`;
    await expect(client.send({ url, method: 'GET' })).rejects.toMatchObject({ refusal: 'address' });
    expect(lookups).toBe(2);
    expect(canaryConnections).toBe(0);
  });

  it('does not follow a redirect', async () => {
    const client = open([`127.0.0.1:${partnerPort}`]);
    const response = await client.send({ url: `http://127.0.0.1:${partnerPort}/redirect`, method: 'GET' });
    expect(response.status).toBe(302);
    expect(response.headers.location).toContain(String(canaryPort));
    expect(canaryConnections).toBe(0);
  });

  it.each([
    ['nonsense', 'url'],
    ['ftp://93.184.215.14/', 'scheme'],
    ['file:///etc/passwd', 'scheme'],
    ['gopher://93.184.215.14:6379/_x', 'scheme'],
    ['http://93.184.215.14/', 'scheme'],
    ['https://user:secret@93.184.215.14/', 'credentials'],
    ['https://93.184.215.14:22/', 'port'],
    ['https://93.184.215.14:8443/', 'port'],
  ])('refuses %s for its %s', async (url, refusal) => {
    await expect(open().send({ url, method: 'GET' })).rejects.toMatchObject({ refusal });
  });

  it('allows an address only with the port that the operator named', async () => {
    const client = open([`127.0.0.1:${partnerPort}`]);
    const response = await client.send({ url: `http://127.0.0.1:${partnerPort}/`, method: 'POST', body: 'hello' });
    expect(response).toMatchObject({ status: 200, body: 'hello' });
    await expect(client.send({ url: `http://127.0.0.1:${canaryPort}/`, method: 'GET' })).rejects.toMatchObject({
      refusal: 'address',
    });
    expect(canaryConnections).toBe(0);
  });

  it('allows a host by its name', async () => {
    const client = open(['partner.internal'], () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]));
    await expect(client.check(`http://partner.internal:${partnerPort}/`)).resolves.toBeUndefined();
    const response = await client.send({
      url: `http://PARTNER.internal.:${partnerPort}/`,
      method: 'POST',
      body: 'hello',
    });
    expect(response.body).toBe('hello');
  });
});

describe('outbound HTTP: bounds', () => {
  const failed = (text: string) => ({ name: 'OutboundFailedError', message: expect.stringContaining(text) as unknown });

  it.each(['/silent', '/drip'])('aborts %s at the time limit', async (path) => {
    const client = open([`127.0.0.1:${partnerPort}`]);
    const started = performance.now();
    const url = `http://127.0.0.1:${partnerPort}${path}`;
    await expect(client.send({ url, method: 'GET', timeoutMs: 300 })).rejects.toMatchObject(failed('within 300 ms'));
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('aborts an answer that is too long', async () => {
    const url = `http://127.0.0.1:${partnerPort}/long`;
    await expect(open([`127.0.0.1:${partnerPort}`]).send({ url, method: 'GET' })).rejects.toMatchObject(
      failed('longer than'),
    );
  });

  it('reports that nothing listens, and that a name has no address', async () => {
    const closed = createSocketServer();
    const port = await listen(closed, '127.0.0.1');
    await new Promise((done) => closed.close(done));
    const client = open([`127.0.0.1:${port}`]);
    await expect(client.send({ url: `http://127.0.0.1:${port}/`, method: 'GET' })).rejects.toMatchObject(
      failed('ECONNREFUSED'),
    );
    const lost = open([], () => Promise.reject(new Error('ENOTFOUND')));
    await expect(lost.send({ url: 'https://gone.example/', method: 'GET' })).rejects.toMatchObject(
      failed('could not be resolved'),
    );
  });
});
