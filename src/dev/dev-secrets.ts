import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';

import { z } from 'zod';

import { errorCode, StartupError } from './startup-error.ts';

const secretsSchema = z.object({
  postgres_superuser_password: z.string().min(1).default(() => randomBytes(24).toString('base64url')),
  postgres_owner_password: z.string().min(1).default(() => randomBytes(24).toString('base64url')),
  postgres_app_password: z.string().min(1).default(() => randomBytes(24).toString('base64url')),
  encryption_keys: z.string().min(1).default(newKey),
  auth_signing_keys: z.string().min(1).default(newKey),
  audit_signing_keys: z.string().min(1).default(newKey),
});

/** The secrets of one embedded stack; key lists in the form of the environment variables of the same name. */
export type DevSecrets = z.infer<typeof secretsSchema>;

/** One 32-byte key as `id:base64`. */
function newKey(): string {
  return `dev:${randomBytes(32).toString('base64')}`;
}

/**
 * Reads the secrets of a data folder; makes those that are not there yet and writes them with mode 0600. They are
 * generated for each folder, so that nothing that opens a database or signs a token stands in the repository.
 *
 * @throws StartupError when the file is not readable JSON of the right form
 */
export async function devSecrets(path: string): Promise<DevSecrets> {
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return '{}';
    throw error;
  });
  const parsed = secretsSchema.safeParse(parseJson(content));
  if (!parsed.success) {
    throw new StartupError(
      `The secrets of this data folder are damaged (${path}): bring the file back, or remove the folder to begin anew.`,
    );
  }
  // In one step, so that a crash never leaves half of them: without them the database cannot be opened any more.
  await writeFile(`${path}.new`, `${JSON.stringify(parsed.data, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return parsed.data;
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}
