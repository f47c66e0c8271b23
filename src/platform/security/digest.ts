import { createHash } from 'node:crypto';
import { canonicalJson } from '../../domain/shared/canonical.ts';

/** The hash by which a secret of 256 random bits is stored and found; one that people choose needs a slow hash instead. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/**
 * The SHA-256 of a value's canonical JSON (RFC 8785), in hex. Factor proofs and approvals are bound to it.
 */
export function payloadDigest(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}
