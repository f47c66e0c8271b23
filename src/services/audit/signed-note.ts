import { createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { sha256 } from '../../platform/audit/audit-hash.ts';
import { ed25519PrivateKey } from '../../platform/security/ed25519.ts';
import type { NamedKey } from '../../platform/security/keyring.ts';

/** State of a chain's Merkle tree, as a checkpoint states it. */
export interface CheckpointBody {
  /** The name of the log; see {@link originOfChain}. */
  readonly origin: string;
  readonly size: number;
  readonly root_hash: Uint8Array;
}

/** A public key that checkpoints of one origin are verified with. */
export interface CheckpointVerifier {
  readonly origin: string;
  readonly key: KeyObject;
}

/** Signs checkpoints. The private keys do not leave it. */
export interface CheckpointSigner {
  /** A checkpoint: C2SP tlog-checkpoint, three lines, an empty line, one signature by the active key. */
  sign(body: CheckpointBody): string;
  /** Binds the manifest of an export, by the SHA-256 of its canonical text, to the same origin and key. */
  signManifest(origin: string, digest: Uint8Array): string;
  /** The public halves for one origin, the active one first. */
  verifiers(origin: string): CheckpointVerifier[];
  /** Whether a note is a checkpoint of the chain that one of its keys has signed. */
  hasSigned(chainId: string, note: string): boolean;
}

/** DER of an Ed25519 public key up to its 32 bytes (RFC 8410). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');
/** C2SP signed-note: the type of an Ed25519 key. */
const ed25519Type = Buffer.from([0x01]);
const hashBytes = 32;
const keyIdBytes = 4;
const signatureBytes = 64;
const signatureMark = '— ';

/**
 * The origin line of a chain's checkpoints. It must never change, or what was signed before would be of another log.
 */
export function originOfChain(chainId: string): string {
  return `castellan/audit/${chainId}`;
}

/** Makes a signer of `AUDIT_SIGNING_KEYS`: the first key signs, all of them verify. */
export function createCheckpointSigner(keys: readonly [NamedKey, ...NamedKey[]]): CheckpointSigner {
  const privateKeys = keys.map(({ bytes }) => ed25519PrivateKey(bytes));
  const publicKeys = privateKeys.map((key) => createPublicKey(key));
  const [activePrivate, activePublic] = [privateKeys[0], publicKeys[0]];
  if (activePrivate === undefined || activePublic === undefined) throw new Error('A checkpoint signer needs a key.');
  const signNote = (origin: string, text: string): string => {
    const signature = sign(null, Buffer.from(text), activePrivate);
    const line = Buffer.concat([keyId(origin, activePublic), signature]).toString('base64');
    return `${text}\n${signatureMark}${origin} ${line}\n`;
  };
  const verifiers = (origin: string) => publicKeys.map((key) => ({ origin, key }));
  return {
    sign: (body) => signNote(body.origin, checkpointText(body)),
    signManifest: (origin, digest) => signNote(origin, manifestText(origin, digest)),
    verifiers,
    hasSigned: (chainId, note) => openCheckpoint(note, verifiers(originOfChain(chainId))) !== null,
  };
}

/**
 * Opens a checkpoint and returns what it states.
 *
 * @returns null when it is malformed, of another origin, or carries no valid signature of any of the keys
 */
export function openCheckpoint(note: string, verifiers: readonly CheckpointVerifier[]): CheckpointBody | null {
  const [origin, sizeLine, rootLine] = openNote(note, verifiers)?.split('\n') ?? [];
  if (origin === undefined || rootLine === undefined || !/^(0|[1-9]\d{0,15})$/.test(sizeLine ?? '')) return null;
  const root = Buffer.from(rootLine, 'base64');
  if (root.length !== hashBytes || root.toString('base64') !== rootLine) return null;
  return { origin, size: Number(sizeLine), root_hash: root };
}

/** Whether the note binds a manifest with this digest to this origin. */
export function isManifestSigned(
  note: string,
  origin: string,
  digest: Uint8Array,
  verifiers: readonly CheckpointVerifier[],
): boolean {
  return openNote(note, verifiers) === manifestText(origin, digest);
}

/** The text of a signed note (C2SP signed-note); null without a valid signature of a key of its origin. */
function openNote(note: string, verifiers: readonly CheckpointVerifier[]): string | null {
  const cut = note.lastIndexOf('\n\n');
  if (cut === -1) return null;
  const text = note.slice(0, cut + 1);
  const origin = text.slice(0, text.indexOf('\n'));
  const signed = note
    .slice(cut + 2)
    .split('\n')
    .some((line) => verifiers.some((verifier) => verifier.origin === origin && isSignedBy(line, text, verifier)));
  return signed ? text : null;
}

/** Origin, size, root, possibly further lines, an empty line, signatures; an incomplete note does not match. */
const notePattern = /^[^\n]+\n\d+\n[A-Za-z0-9+/]{43}=\n(?:[^\n]+\n)*\n(?:— \S+ [A-Za-z0-9+/=]{92,}\n)+/gm;

/** The notes in a file that holds one after the other; incomplete ones are skipped. */
export function splitNotes(file: string): string[] {
  return file.match(notePattern) ?? [];
}

/** C2SP signed-note verifier key: `<origin>+<key id>+<base64 of type and key>`. It is public. */
export function formatVerifier({ origin, key }: CheckpointVerifier): string {
  const encoded = Buffer.concat([ed25519Type, rawKey(key)]).toString('base64');
  return `${origin}+${keyId(origin, key).toString('hex')}+${encoded}`;
}

/** @throws Error when the text is no Ed25519 verifier key */
export function parseVerifier(text: string): CheckpointVerifier {
  const [, origin, id, encoded] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? [];
  const bytes = Buffer.from(encoded ?? '', 'base64');
  if (origin === undefined || bytes.length !== 33 || bytes[0] !== ed25519Type[0]) {
    throw new Error('A public key has the form <origin>+<key id>+<base64>, as the checkpoint endpoint shows it.');
  }
  const key = createPublicKey({ key: Buffer.concat([spkiPrefix, bytes.subarray(1)]), format: 'der', type: 'spki' });
  if (keyId(origin, key).toString('hex') !== id) throw new Error('The key id of the public key does not fit the key.');
  return { origin, key };
}

function checkpointText({ origin, size, root_hash }: CheckpointBody): string {
  return `${origin}\n${size}\n${Buffer.from(root_hash).toString('base64')}\n`;
}

/** Its second line is no number, so that it can never be taken for a checkpoint. */
function manifestText(origin: string, digest: Uint8Array): string {
  return `${origin}\nexport\n${Buffer.from(digest).toString('base64')}\n`;
}

function isSignedBy(line: string, text: string, { origin, key }: CheckpointVerifier): boolean {
  const prefix = `${signatureMark}${origin} `;
  if (!line.startsWith(prefix)) return false;
  const bytes = Buffer.from(line.slice(prefix.length), 'base64');
  return (
    bytes.length === keyIdBytes + signatureBytes &&
    bytes.subarray(0, keyIdBytes).equals(keyId(origin, key)) &&
    verify(null, Buffer.from(text), key, bytes.subarray(keyIdBytes))
  );
}

function keyId(name: string, key: KeyObject): Buffer {
  const named = Buffer.concat([Buffer.from(`${name}\n`), ed25519Type, rawKey(key)]);
  return Buffer.from(sha256(named).subarray(0, keyIdBytes));
}

function rawKey(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(spkiPrefix.length);
}
