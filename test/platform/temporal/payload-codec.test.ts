import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { defaultPayloadConverter } from '@temporalio/common';
import { parseKeyList } from '../../../src/platform/security/keyring.ts';
import { createPayloadCodec } from '../../../src/platform/temporal/payload-codec.ts';

const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const oldKey = key('2025');
const newKey = key('2026');
const codecOf = (...keys: string[]) => createPayloadCodec(parseKeyList(keys.join(','), 'TEMPORAL_PAYLOAD_KEYS'));
const toPayload = (value: unknown) => defaultPayloadConverter.toPayload(value);
const textOf = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString('utf8');

describe('the payload codec', () => {
  it('seals payloads and opens them unchanged', async () => {
    const codec = codecOf(newKey);
    const payloads = [{ canary: 'canary-secret' }, 'text', null, undefined, 12.5, new Uint8Array([1, 2])].map(
      toPayload,
    );
    const sealed = await codec.encode(payloads);
    for (const payload of sealed) {
      expect(textOf(payload.metadata?.['encoding'])).toBe('binary/encrypted');
      expect(textOf(payload.metadata?.['encryption-key-id'])).toBe('2026');
      expect(JSON.stringify(payload) + textOf(payload.data)).not.toContain('canary');
    }
    const opened = await codec.decode(sealed);
    expect(opened.map((payload) => textOf(payload.data))).toEqual(payloads.map((payload) => textOf(payload.data)));
    expect(defaultPayloadConverter.fromPayload(opened[0] ?? {})).toEqual({ canary: 'canary-secret' });
  });

  it('opens what a retired key has sealed, seals with the new key, and names a missing key in its refusal', async () => {
    const sealed = await codecOf(oldKey).encode([toPayload('secret')]);
    const both = codecOf(newKey, oldKey);
    expect((await both.decode(sealed)).map((payload) => defaultPayloadConverter.fromPayload(payload))).toEqual([
      'secret',
    ]);
    const [again] = await both.encode([toPayload('secret')]);
    expect(textOf(again?.metadata?.['encryption-key-id'])).toBe('2026');
    await expect(codecOf(newKey).decode(sealed)).rejects.toThrow('no key "2025"');
  });

  it('passes payloads through that were written before encryption was switched on', async () => {
    const plain = [toPayload({ a: 1 }), toPayload(undefined)];
    await expect(codecOf(newKey).decode(plain)).resolves.toEqual(plain);
  });

  it('refuses a payload that was changed, truncated, or labelled with another key', async () => {
    const codec = codecOf(newKey, oldKey);
    const [sealed] = await codec.encode([toPayload('secret')]);
    const data = Buffer.from(sealed?.data ?? []);
    const altered = Buffer.from(data);
    altered.writeUInt8(altered.readUInt8(20) ^ 1, 20);
    const metadata = { ...sealed?.metadata };
    await expect(codec.decode([{ metadata, data: altered }])).rejects.toThrow('does not open');
    await expect(codec.decode([{ metadata, data: data.subarray(0, 20) }])).rejects.toThrow('too short');
    const relabelled = { ...metadata, 'encryption-key-id': Buffer.from('2025') };
    await expect(codec.decode([{ metadata: relabelled, data }])).rejects.toThrow('does not open');
  });
});
