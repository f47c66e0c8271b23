import type { Client, Connection, Submittable } from 'pg';

/**
 * Runs `COPY (…) TO STDOUT (FORMAT binary)` and calls `onRow` for every row as it arrives. Where columns are only
 * hashed, as in a chain, this is three times as fast as fetching rows, because nothing is decoded or collected.
 *
 * `onRow` runs inside the socket's data event, so a slow consumer slows the server down through TCP.
 *
 * @param text the COPY statement; it takes no parameters, so values in it must be escaped
 * @param onRow gets the fields in order, null for NULL; they are views that are valid during the call only
 * @throws the database's error, or what `onRow` threw
 */
export function copyOut(client: Client, text: string, onRow: (fields: (Buffer | null)[]) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: unknown;
    const submittable: Submittable & Record<string, unknown> = {
      submit: (connection: Connection) => {
        connection.query(text);
      },
      handleCopyData: (message: { chunk: Buffer }) => {
        if (failure !== undefined) return;
        try {
          const fields = parseTuple(message.chunk);
          if (fields !== null) onRow(fields);
        } catch (error) {
          failure = error;
        }
      },
      handleCommandComplete: () => undefined,
      handleError: (error: Error) => reject(error),
      handleReadyForQuery: () => (failure === undefined ? resolve() : reject(failure)),
    };
    client.query(submittable);
  });
}

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const flagBytes = 4;
const lengthBytes = 4;

/** One message of the binary format: a tuple, the first one behind the file header, or the trailer (null). */
function parseTuple(chunk: Buffer): (Buffer | null)[] | null {
  let offset = 0;
  if (chunk.subarray(0, signature.length).equals(signature)) {
    const extension = signature.length + flagBytes;
    offset = extension + lengthBytes + chunk.readInt32BE(extension);
    if (offset === chunk.length) return null;
  }
  const count = chunk.readInt16BE(offset);
  offset += 2;
  if (count === -1) return null;
  const fields: (Buffer | null)[] = [];
  for (let field = 0; field < count; field += 1) {
    const length = chunk.readInt32BE(offset);
    offset += lengthBytes;
    fields.push(length === -1 ? null : chunk.subarray(offset, offset + length));
    offset += Math.max(length, 0);
  }
  return fields;
}
