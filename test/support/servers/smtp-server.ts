import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';

/** A mail server with just enough SMTP (RFC 5321) to accept a message, or to refuse every recipient. */
export function smtpServer(received: string[], refusesRecipients: () => boolean = () => false): Server {
  return createServer((socket) => {
    let isData = false;
    let message = '';
    socket.write('220 test ESMTP\r\n');
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      for (const line of chunk.toString().split('\r\n').slice(0, -1)) {
        if (isData && line === '.') {
          isData = false;
          received.push(message);
          message = '';
          socket.write('250 taken\r\n');
        } else if (isData) message += `${line}\n`;
        else if (line === 'DATA') {
          isData = true;
          socket.write('354 go on\r\n');
        } else if (line.startsWith('RCPT') && refusesRecipients()) socket.write('550 no such person\r\n');
        else if (line === 'QUIT') socket.end('221 bye\r\n');
        else socket.write('250 ok\r\n');
      }
    });
  });
}

/** Starts a server on a free port of this machine. @returns its `SMTP_URL`. */
export async function listenForMail(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
