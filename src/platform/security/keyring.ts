import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  timingSafeEqual,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { fewRandomBytes } from './random.ts';

/** Form of a ciphertext: `v1.<key id>.<base64url of nonce | sealed bytes | tag>`. */
const formatVersion = 'v1';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** Key ids are part of ciphertexts and of configuration, so they contain no separator of either. */
const keyIdPattern = /^[A-Za-z0-9_-]{1,32}$/;

/** A key of a configured ring: 32 random bytes and its id. */
export type NamedKey = { readonly key_id: string; readonly bytes: Buffer };

/** Where a sealed value is stored. A ciphertext that is moved to another row or column does not open. */
export type SecretPlace = { readonly table: string; readonly column: string; readonly row_id: string };

/** A ciphertext that is malformed, altered, moved, or sealed under a key that is not in the ring. */
export class SealedValueError extends Error {
  override readonly name = 'SealedValueError';
}

/** The keys that protect secrets at rest: the first seals, all open. */
export type Keyring = {
  /** Id of the key that seals new values. */
  readonly active_key_id: string;
  /** Encrypts `plaintext` for exactly this place (AES-256-GCM, random 96-bit nonce). */
  readonly seal: (plaintext: string, place: SecretPlace) => string;
  /** Decrypts what `seal` made for the same place. @throws SealedValueError. */
  readonly open: (ciphertext: string, place: SecretPlace) => string;
  /** The prefix of every value that is sealed under the active key; a value with another one is to be sealed again. */
  readonly sealedPrefix: string;
  /**
   * A keyed fingerprint, by which two secrets can be compared without storing either. It names its key:
   * `<key id>:<hex>`.
   */
  readonly fingerprint: (value: string) => string;
  /** True when `fingerprint` was made of `value` by any key of the ring. */
  readonly matchesFingerprint: (value: string, fingerprint: string) => boolean;
};

/**
 * Reads a ring of 32-byte keys written `id:base64,id:base64` (as `openssl rand -base64 32` prints them).
 * The first key is the active one.
 *
 * @throws Error that names the setting and never the bytes of a key
 */
export function parseKeyList(value: string, setting: string): [NamedKey, ...NamedKey[]] {
  const keys = value.split(',').map((entry, index): NamedKey => {
    const separator = entry.indexOf(':');
    const keyId = entry.slice(0, Math.max(separator, 0)).trim();
    if (!keyIdPattern.test(keyId)) {
      throw new Error(`${setting}: entry ${index + 1} must be "id:base64" with an id of letters, digits, _ or -`);
    }
    const bytes = Buffer.from(entry.slice(separator + 1).trim(), 'base64');
    if (bytes.length !== keyBytes) {
      throw new Error(`${setting}: key "${keyId}" must be ${keyBytes} bytes in base64, it is ${bytes.length}`);
    }
    return { key_id: keyId, bytes };
  });
  const [first, ...rest] = keys;
  if (first === undefined) {
    throw new Error(`${setting}: at least one key is needed`);
  }
  if (new Set(keys.map((key) => key.key_id)).size !== keys.length) {
    throw new Error(`${setting}: every key id may stand only once`);
  }
  return [first, ...rest];
}

/**
 * Derives an independent key for one purpose, so that no key bytes serve two algorithms (RFC 5869). It is a key object
 * because Node 24 throws and catches two exceptions when it gets the key as bytes: 17 µs of the 22 that sealing a value took.
 */
export function deriveKey(key: NamedKey, purpose: string): KeyObject {
  const derived = hkdfSync('sha256', key.bytes, Buffer.alloc(0), `castellan/${purpose}/v1`, keyBytes);
  return createSecretKey(Buffer.from(derived));
}

/** Makes a ring of the configured keys, for values at rest (`ENCRYPTION_KEYS`). */
export function createKeyring(keys: readonly [NamedKey, ...NamedKey[]]): Keyring {
  const sealingKeys = new Map(keys.map((key) => [key.key_id, deriveKey(key, 'secret-at-rest')]));
  const fingerprintKeys = new Map(keys.map((key) => [key.key_id, deriveKey(key, 'fingerprint')]));
  const activeKeyId = keys[0].key_id;

  const keyOf = (ring: Map<string, KeyObject>, keyId: string): KeyObject => {
    const key = ring.get(keyId);
    if (key === undefined) {
      throw new SealedValueError(
        `No key "${keyId}" in the ring; keep a retired key until keys:reencrypt has finished.`,
      );
    }
    return key;
  };

  const fingerprintUnder = (keyId: string, value: string): string =>
    `${keyId}:${createHmac('sha256', keyOf(fingerprintKeys, keyId)).update(value, 'utf8').digest('hex').slice(0, 32)}`;

  return {
    active_key_id: activeKeyId,

    seal(plaintext, place) {
      const nonce = fewRandomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', keyOf(sealingKeys, activeKeyId), nonce);
      cipher.setAAD(associatedData(activeKeyId, place));
      const sealed = Buffer.concat([nonce, cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${formatVersion}.${activeKeyId}.${sealed.toString('base64url')}`;
    },

    open(ciphertext, place) {
      const { keyId, sealed } = parseCiphertext(ciphertext);
      const decipher = createDecipheriv('aes-256-gcm', keyOf(sealingKeys, keyId), sealed.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      });
      decipher.setAAD(associatedData(keyId, place));
      decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
      try {
        const plaintext = decipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes));
        return Buffer.concat([plaintext, decipher.final()]).toString('utf8');
      } catch (cause) {
        throw new SealedValueError(`The value sealed for ${place.table}.${place.column} does not open here.`, {
          cause,
        });
      }
    },

    sealedPrefix: `${formatVersion}.${activeKeyId}.`,

    fingerprint: (value) => fingerprintUnder(activeKeyId, value),

    matchesFingerprint(value, fingerprint) {
      const keyId = fingerprint.slice(0, Math.max(fingerprint.indexOf(':'), 0));
      if (!fingerprintKeys.has(keyId)) {
        return false;
      }
      const expected = Buffer.from(fingerprintUnder(keyId, value));
      const given = Buffer.from(fingerprint);
      return expected.length === given.length && timingSafeEqual(expected, given);
    },
  };
}

/** Binds version, key and place to the ciphertext, so that none of them can be exchanged. */
function associatedData(keyId: string, place: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify([formatVersion, keyId, place.table, place.column, place.row_id]), 'utf8');
}

function parseCiphertext(ciphertext: string): { keyId: string; sealed: Buffer } {
  const [version, keyId, body, ...rest] = ciphertext.split('.');
  const sealed = Buffer.from(body ?? '', 'base64url');
  if (version !== formatVersion || keyId === undefined || rest.length > 0 || sealed.length < nonceBytes + tagBytes) {
    throw new SealedValueError('The sealed value is malformed.');
  }
  return { keyId, sealed };
}
