import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Problem } from '../../platform/problem.ts';

/**
 * Takes an upload in before anything is done with it, so that no transaction waits for somebody's network. The file is
 * gone when `use` is done.
 *
 * @throws Problem `request.too-large` as soon as the upload has more bytes than allowed.
 */
export async function withUploadedFile<Result>(
  upload: Readable,
  maxBytes: number,
  use: (path: string) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-upload-'));
  try {
    const path = join(folder, 'upload');
    await pipeline(upload, limited(maxBytes), createWriteStream(path, { mode: 0o600 }));
    return await use(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function limited(maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= maxBytes) done(null, chunk);
      else done(new Problem({ code: 'request.too-large', detail: `A file has at most ${maxBytes} bytes.` }));
    },
  });
}
