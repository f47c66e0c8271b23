import { createHash } from 'node:crypto';
import { canonicalJson } from '../../domain/shared/canonical.ts';

/**
 * The SHA-256 of a value's canonical JSON (RFC 8785), in hex: what a factor proof and an approval are bound to.
 */
export function payloadDigest(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}
