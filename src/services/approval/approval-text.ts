import type { ChangeDetail } from '../../domain/approval/approval-presentation.ts';
import { maskEmail } from '../../domain/identity/mfa.ts';
import type { JsonValue } from '../../domain/shared/canonical.ts';

/** A mail shows so many changes and points to the rest. */
const shownChanges = 20;
const maxValueLength = 200;

/** What a message about a request says of it. */
interface RequestText {
  readonly headline: string;
  readonly description: string;
  readonly changes: readonly ChangeDetail[];
  readonly requested_by: string;
  readonly reason: string | null;
  /** RFC 3339; null once nobody can decide any more. */
  readonly decide_until: string | null;
  readonly link: string;
}

/**
 * A message about a request, for people: what changes, who asked and why, until when it can be decided, and where (T-15).
 * Addresses are masked, because any channel of the tenant may carry it; the request itself shows them.
 */
export function requestText(request: RequestText): string {
  const { headline, description, changes, requested_by, reason, decide_until, link } = request;
  const lines = changes
    .slice(0, shownChanges)
    .map(({ field, before, after }) => `- ${field}: ${valueText(before)} → ${valueText(after)}`);
  if (changes.length > shownChanges) lines.push(`- and ${changes.length - shownChanges} more`);
  return [
    `${headline}.`,
    withMaskedAddresses(description),
    ...(lines.length === 0 ? [] : [lines.join('\n')]),
    `Requested by ${requested_by}${reason === null ? '' : `: ${reason}`}`,
    ...(decide_until === null ? [] : [`It can be decided until ${decide_until}.`]),
    link,
  ].join('\n\n');
}

function valueText(value: JsonValue): string {
  if (value === null) return 'nothing';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const masked = withMaskedAddresses(text);
  return masked.length <= maxValueLength ? masked : `${masked.slice(0, maxValueLength - 1)}…`;
}

function withMaskedAddresses(text: string): string {
  return text.replaceAll(/[^\s",()]+@[^\s",()]+/g, maskEmail).replaceAll(/\+\d{4,11}(\d{3})/g, '•••$1');
}
