import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { METADATA_ENCODING_KEY, type Payload, type PayloadCodec, ValueError } from '@temporalio/common';
import proto from '@temporalio/proto';
import { deriveKey, parseKeyList, type NamedKey } from '../security/keyring.ts';

// The package is CommonJS and Node does not see its named exports.
const PayloadMessage = proto.temporal.api.common.v1.Payload;

/** Value of the `encoding` metadata that marks a sealed payload; the same as in Temporal's samples. */
const sealedEncoding = 'binary/encrypted';
const keyIdMetadata = 'encryption-key-id';
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Seals every payload that is sent to the Temporal server (AES-256-GCM), so that workflow histories contain no readable
 * content. The key id is in the payload's metadata: the first key seals, every key of the list opens, and a payload that
 * was written before encryption was switched on is passed through unchanged.
 *
 * Search attributes and ids are always readable, so they must not contain secrets. Summaries and details are sealed like
 * everything else; Temporal Web shows them through the codec endpoint of the API.
 *
 * @param keys the keys of `TEMPORAL_PAYLOAD_KEYS`; a key may be removed when the retention of the last workflow that used
 *   it is over.
 */
export function createPayloadCodec(keys: readonly [NamedKey, ...NamedKey[]]): PayloadCodec {
  const ring = new Map(keys.map((key) => [key.key_id, deriveKey(key, 'temporal-payload')]));
  const activeKeyId = keys[0].key_id;
  const keyOf = (keyId: string): KeyObject => {
    const key = ring.get(keyId);
    if (key === undefined) {
      throw new ValueError(`TEMPORAL_PAYLOAD_KEYS holds no key "${keyId}" that this payload was sealed with.`);
    }
    return key;
  };

  const seal = (payload: Payload): Payload => {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', keyOf(activeKeyId), nonce);
    cipher.setAAD(Buffer.from(activeKeyId, 'utf8'));
    const plaintext = PayloadMessage.encode(payload).finish();
    const data = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    return {
      metadata: { [METADATA_ENCODING_KEY]: Buffer.from(sealedEncoding), [keyIdMetadata]: Buffer.from(activeKeyId) },
      data,
    };
  };

  const open = (payload: Payload): Payload => {
    const encoding = payload.metadata?.[METADATA_ENCODING_KEY];
    if (encoding == null || Buffer.from(encoding).toString() !== sealedEncoding) {
      return payload;
    }
    const keyId = Buffer.from(payload.metadata?.[keyIdMetadata] ?? []).toString();
    const sealed = Buffer.from(payload.data ?? new Uint8Array());
    if (sealed.length < nonceBytes + tagBytes) {
      throw new ValueError('The sealed payload is too short.');
    }
    const decipher = createDecipheriv('aes-256-gcm', keyOf(keyId), sealed.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    });
    decipher.setAAD(Buffer.from(keyId, 'utf8'));
    decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
    try {
      const body = sealed.subarray(nonceBytes, sealed.length - tagBytes);
      return PayloadMessage.decode(Buffer.concat([decipher.update(body), decipher.final()]));
    } catch (cause) {
      throw new ValueError(`The payload sealed with key "${keyId}" does not open.`, cause);
    }
  };

  return {
    encode: (payloads) => Promise.resolve(payloads.map(seal)),
    // Async, so that a payload that does not open rejects instead of throwing.
    decode: async (payloads) => payloads.map(open),
  };
}

/** The codec of a process: none unless `TEMPORAL_PAYLOAD_KEYS` is set. API and workers need the same keys. */
export function payloadCodecOf(env: { readonly TEMPORAL_PAYLOAD_KEYS?: string | undefined }): PayloadCodec | undefined {
  const keys = env.TEMPORAL_PAYLOAD_KEYS;
  return keys === undefined ? undefined : createPayloadCodec(parseKeyList(keys, 'TEMPORAL_PAYLOAD_KEYS'));
}
