import { parseArgs } from 'node:util';
import { z } from 'zod';
import { email, lineText, personName } from '../platform/value-schemas.ts';
import type { NamedPerson } from '../services/identity/account-link/administrator-naming.service.ts';

/** What `npm run admin:create` is asked to do. */
export interface AdminCreateOrder {
  readonly people: readonly NamedPerson[];
  /** Domain of the tenant; null for the default tenant. */
  readonly tenant: string | null;
  /** Name of a tenant that is to be created; null for its domain. */
  readonly tenant_name: string | null;
  readonly expires_minutes: number;
  readonly recover: boolean;
}

/** The person at the terminal has to give other arguments; the message says which. */
export class ArgumentsError extends Error {
  override readonly name = 'ArgumentsError';
}

export const usage = `Usage: npm run admin:create -- --email <address> [--email <address>]… [options]

  --email <address>        whom to name; several become administrators together
  --name <full name>       name of a new account, one for each --email in the same order
  --tenant <domain>        the tenant, created where it is missing; the default tenant when left out
  --tenant-name <name>     name of a tenant that is created
  --expires-minutes <n>    how long the links can be used: 5 to 1440, otherwise 60
  --recover                give one person, who may be new, a link although there is an administrator
`;

/** A domain name, or one label of it. */
const domainPattern = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

const options = z.object({
  email: z.array(email).min(1).max(5, 'at most five people can be named at once'),
  name: z.array(personName).default([]),
  tenant: z.string().toLowerCase().regex(domainPattern, 'must be a domain name').optional(),
  'tenant-name': lineText(200).optional(),
  'expires-minutes': z.coerce.number().int().min(5).max(1_440).default(60),
  recover: z.boolean().default(false),
});

/**
 * Reads the arguments of the command.
 *
 * @throws ArgumentsError with one line for each fault.
 */
export function parseAdminCreate(args: readonly string[]): AdminCreateOrder {
  const given = options.safeParse(rawOptions(args));
  if (!given.success) {
    throw new ArgumentsError(given.error.issues.map(({ path, message }) => `--${String(path[0])}: ${message}`).join('\n'));
  }
  const { email: emails, name: names, tenant = null, 'tenant-name': tenant_name = null, recover } = given.data;
  const faults = [
    ...(new Set(emails).size === emails.length ? [] : ['--email: each address stands once']),
    ...(names.length === 0 || names.length === emails.length ? [] : ['--name: one for each --email, in the same order, or none']),
    ...(recover && emails.length !== 1 ? ['--recover: names one person'] : []),
    ...(tenant_name !== null && (recover || tenant === null) ? ['--tenant-name: is for a tenant that is created with --tenant'] : []),
  ];
  if (faults.length > 0) throw new ArgumentsError(faults.join('\n'));
  const people = emails.map((address, at) => ({ email: address, full_name: names[at] ?? localPart(address) }));
  return { people, tenant, tenant_name, expires_minutes: given.data['expires-minutes'], recover };
}

function rawOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        email: { type: 'string', multiple: true, default: [] },
        name: { type: 'string', multiple: true },
        tenant: { type: 'string' },
        'tenant-name': { type: 'string' },
        'expires-minutes': { type: 'string' },
        recover: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new ArgumentsError(error instanceof Error ? error.message : String(error));
  }
}

function localPart(address: string): string {
  return address.slice(0, address.lastIndexOf('@'));
}
