/**
 * Cuts a stream of PostgreSQL's protocol into messages: type byte, length, body. A client's first message, the start-up, has
 * no type.
 *
 * @param onMessage gets the type, empty for the start-up, and the whole message; false ends the reading.
 */
export function readPostgresMessages(
  fromClient: boolean,
  onMessage: (type: string, message: Buffer) => boolean,
): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  let isStarted = !fromClient;
  let isEnded = false;
  return (chunk) => {
    if (isEnded) return;
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const header = isStarted ? 5 : 4;
      if (rest.length < header) return;
      const length = rest.readInt32BE(header - 4) + header - 4;
      if (rest.length < length) return;
      const message = rest.subarray(0, length);
      rest = rest.subarray(length);
      isEnded = !onMessage(isStarted ? String.fromCharCode(message[0] ?? 0) : '', message);
      if (isEnded) return;
      isStarted = true;
    }
  };
}
