import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** DER of a PKCS #8 Ed25519 private key up to its 32 bytes of seed (RFC 8410 section 7). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The private key of a 32-byte seed, the form in which our signing keys are configured. */
export function ed25519PrivateKey(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
}
