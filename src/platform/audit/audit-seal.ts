import { createCipheriv, createDecipheriv, createHmac, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { AuditPrivate, SealedPart } from '../../domain/audit/audit-entry.ts';

/** Bytes of a person's key. */
export const personKeyBytes = 32;
const tagBytes = 16;
/** Every part has a key of its own, so the nonce need not differ. */
const nonce = Buffer.alloc(12);

/**
 * The key of one part of one entry, derived from the key of the person it is about. It opens this part only, so an
 * export can contain it and be read offline, while the person's key never leaves the server.
 */
export function partKey(personKey: KeyObject, entryId: string, holds: SealedPart['holds']): Buffer {
  return createHmac('sha256', personKey).update(`castellan/audit/v2/${entryId}/${holds}`).digest();
}

/**
 * Seals the values of a part (AES-256-GCM).
 *
 * @param text RFC 8785 text of the values
 * @returns base64url of sealed bytes and tag
 */
export function sealPart(key: Buffer, text: string): string {
  // As a key object: see `deriveKey`.
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(key), nonce);
  return Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url');
}

/** The values of a part; null when the key is not the one it was sealed with. */
function openPart(key: Buffer, box: string): Record<string, unknown> | null {
  const sealed = Buffer.from(box, 'base64url');
  if (sealed.length < tagBytes || key.length !== personKeyBytes) return null;
  const decipher = createDecipheriv('aes-256-gcm', createSecretKey(key), nonce, { authTagLength: tagBytes });
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  try {
    const text = Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - tagBytes)), decipher.final()]);
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text.toString('utf8')));
  } catch {
    return null;
  }
}

/**
 * What is wrong with the keys that a file gives for the sealed parts of an entry; null when each opens its part. A file
 * may give none at all. The key of an erased person is null.
 */
export function privateKeysFault({ sealed = [] }: AuditPrivate, keys: readonly (Buffer | null)[]): string | null {
  if (keys.length === 0) return null;
  if (keys.length !== sealed.length) return `there are ${keys.length} private keys for ${sealed.length} sealed parts`;
  const isForeign = sealed.some(({ box }, place) => {
    const key = keys[place] ?? null;
    return key !== null && openPart(key, box) === null;
  });
  return isForeign ? 'a private key is not the one that the part was sealed with' : null;
}

/** The private part with the values that could be opened; those of an erased person stay null. */
export function openedPrivate(hidden: AuditPrivate, keys: readonly (Buffer | null)[]): AuditPrivate {
  const { sealed = [], ...visible } = hidden;
  return sealed.reduce<AuditPrivate>((opened, part, place) => {
    const key = keys[place] ?? null;
    return { ...opened, ...(key === null ? null : openPart(key, part.box)) };
  }, visible);
}
