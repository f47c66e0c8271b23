const utf8 = new TextEncoder();

/**
 * MurmurHash3, 32 bit, x86 variant, over the UTF-8 bytes of a text. Pure arithmetic, so a subject lands in the same
 * place on every machine, in every release and in a workflow sandbox. Not a cryptographic hash: it spreads, it hides
 * nothing.
 *
 * @returns an unsigned 32-bit integer.
 */
export function murmur3(text: string, seed = 0): number {
  const bytes = utf8.encode(text);
  const tailStart = bytes.length - (bytes.length % 4);
  let hash = seed | 0;
  for (let offset = 0; offset < tailStart; offset += 4) {
    hash ^= scramble(littleEndian(bytes, offset, 4));
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64;
  }
  if (tailStart < bytes.length) hash ^= scramble(littleEndian(bytes, tailStart, bytes.length - tailStart));
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Number of places on the rollout line: a percentage is cut to thousandths, the whole is this many. */
export const bucketCount = 100_000;

/**
 * The place of a subject on the rollout line of one flag, `0 ≤ bucket < bucketCount`. The flag key is part of the hash,
 * so that two flags at 10 % do not pick the same people, and raising a percentage only ever adds people.
 */
export function bucketOf(flagKey: string, targetingKey: string): number {
  return Math.floor((murmur3(`${flagKey}\u0000${targetingKey}`) / 0x1_0000_0000) * bucketCount);
}

function scramble(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

function littleEndian(bytes: Uint8Array, offset: number, length: number): number {
  let word = 0;
  for (let index = 0; index < length; index += 1) word |= (bytes[offset + index] ?? 0) << (8 * index);
  return word;
}
