import { hash, randomBytes } from 'node:crypto';
import { uuidBytes, uuidText } from './uuid-bytes.ts';

/** `cst_` + tenant id + token id + 32 random bytes; with the ids the look-up is one of a tenant, by primary key. */
const pattern = /^cst_([0-9a-f]{32})([0-9a-f]{32})([\w-]{43})$/;

/** What a well-formed service token says of itself; nothing is verified yet. */
export interface ServiceTokenParts {
  readonly tenant_id: string;
  readonly id: string;
  /** SHA-256 of the whole token, hex. */
  readonly digest: string;
}

/** True when a bearer token claims to be a service token of ours. */
export function isServiceToken(token: string): boolean {
  return token.startsWith('cst_');
}

/** Takes a service token apart; null when it is malformed. */
export function parseServiceToken(token: string): ServiceTokenParts | null {
  const parts = pattern.exec(token);
  if (parts === null) return null;
  return { tenant_id: uuidOfHex(parts[1]), id: uuidOfHex(parts[2]), digest: digestOf(token) };
}

/** Makes a new service token; only its hash and its last four characters are stored. */
export function issueServiceToken(tenantId: string, id: string): { token: string; token_hash: Buffer; last4: string } {
  const ids = Buffer.concat([uuidBytes(tenantId), uuidBytes(id)]).toString('hex');
  const token = `cst_${ids}${randomBytes(32).toString('base64url')}`;
  return { token, token_hash: Buffer.from(digestOf(token), 'hex'), last4: token.slice(-4) };
}

function digestOf(token: string): string {
  return hash('sha256', token, 'hex');
}

function uuidOfHex(hex = ''): string {
  return uuidText(Buffer.from(hex, 'hex'));
}
