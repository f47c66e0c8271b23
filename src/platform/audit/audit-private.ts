import type { Actor } from '../../domain/shared/actor.ts';
import { subjectOf } from '../../domain/audit/audit-entry.ts';
import type { AuditEntry, AuditPrivate, SealedPart } from '../../domain/audit/audit-entry.ts';
import { redactChange, redactionRules, wellFormed } from '../../domain/audit/audit-redaction.ts';
import { canonicalJson } from '../../domain/shared/canonical.ts';
import type { PersonKeyMap } from './audit-person-keys.ts';
import { partKey, sealPart } from './audit-seal.ts';
import { fewRandomBytes } from '../security/random.ts';

const saltBytes = 16;
/** Length of the user agent, request id and similar texts; longer ones are cut. */
const maxFieldLength = 512;
/** Old and new values together; of larger ones only the sizes are stored, so that no request can inflate the log. */
const maxPrivateBytes = 64 * 1024;

/** The private part of an entry in the form that is hashed and stored. */
interface PrivatePart {
  /** RFC 8785 text of the {@link AuditPrivate}. */
  readonly text: string;
  /** 2 when parts of it are sealed under persons' keys. */
  readonly version: 1 | 2;
}

/** The persons that entries are about: whose keys {@link privatePart} seals with. */
export function personsOf(actor: Pick<Actor, 'user_id'>, entries: readonly AuditEntry[]): string[] {
  const subjects = entries.map((entry) => subjectOf(entry, actor));
  return [...new Set([actor.user_id, ...subjects])].filter((id) => id !== null);
}

/**
 * Redacts and bounds the private part of an entry and seals what is about persons: address and agent under the key of
 * the actor, the state of a person under the key of that person. Data about a person whose key was destroyed is left
 * out.
 *
 * @param keys of {@link personsOf}; a person that is not in it is written in clear, as version 1 did
 */
export function privatePart(actor: Actor, entry: AuditEntry, entryId: string, keys: PersonKeyMap): PrivatePart {
  const origin = { ip: bounded(actor.ip), user_agent: bounded(actor.user_agent) };
  const values = boundedValues(redactChange(entry, redactionRules[entry.resource_type]));
  const sealed: SealedPart[] = [];

  /**
   * Seals the members; what stays in clear is all of them, or none where they were sealed or belong to an erased
   * person.
   */
  const sealMembers = <Members extends Record<string, unknown>>(
    person: string | null,
    holds: SealedPart['holds'],
    { members, text }: Part<Members>,
  ): Members | Record<keyof Members, null> => {
    const key = person === null ? undefined : keys.get(person);
    const isEmpty = Object.values(members).every((member) => member === null);
    if (person === null || key === undefined || isEmpty) return members;
    if (key !== null) sealed.push({ person, holds, box: sealPart(partKey(key, entryId, holds), text()) });
    return Object.fromEntries(Object.keys(members).map((name) => [name, null])) as Record<keyof Members, null>;
  };

  const salt = fewRandomBytes(saltBytes).toString('base64url');
  const visible = { ...sealMembers(actor.user_id, 'origin', partOf(origin)), ...sealMembers(subjectOf(entry, actor), 'values', values) };
  const whole: AuditPrivate = { salt, ...visible, ...(sealed.length === 0 ? {} : { sealed }) };
  return { text: canonicalJson(whole), version: sealed.length === 0 ? 1 : 2 };
}

/** A text from outside, cut to {@link maxFieldLength} and made storable. */
export function bounded(text: string | null): string | null {
  return text === null ? null : wellFormed(text.slice(0, maxFieldLength));
}

/** Members of the private part that are about one person, and their RFC 8785 text. */
interface Part<Members> {
  readonly members: Members;
  readonly text: () => string;
}

function partOf<Members>(members: Members): Part<Members> {
  return { members, text: () => canonicalJson(members) };
}

function boundedValues(members: { old_values: unknown; new_values: unknown }): Part<typeof members> {
  const text = canonicalJson(members);
  if (Buffer.byteLength(text) <= maxPrivateBytes) return { members, text: () => text };
  return partOf({
    old_values: { omitted_bytes: sizeOf(members.old_values) },
    new_values: { omitted_bytes: sizeOf(members.new_values) },
  });
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(canonicalJson(value));
}
