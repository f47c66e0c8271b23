import { createHash } from 'node:crypto';
import { canonicalJson } from '../../domain/shared/canonical.ts';

/**
 * The SHA-256 of a value's canonical JSON (RFC 8785), in hex. Factor proofs and approvals are bound to it.
 */
export function payloadDigest(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}
