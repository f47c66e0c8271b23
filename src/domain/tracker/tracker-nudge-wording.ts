import type { NudgeDraft } from './tracker-nudge-rules.ts';

/** The instruction to a model. With it goes the rule's text with a placeholder for the name, and nothing else. */
export const wordingInstruction =
  'Reword this nudge for a salesperson in one friendly, concrete sentence of at most 160 characters. Keep every number ' +
  'and every {name} placeholder exactly as it is. Answer with the sentence only.';

const maxLength = 300;
const placeholder = /\{name\}/g;
/** Control characters, line breaks included, and anything that a client could take for markup or a link. */
const unwanted = /\p{Cc}|[<>]|https?:/iu;

/**
 * Checks the sentence of a model: not empty, not long, one line, without markup or links, with exactly the numbers and
 * placeholders of the rule's text.
 *
 * @returns the sentence, or null: the rule's own text is used then.
 */
export function acceptWording({ template }: Pick<NudgeDraft, 'template'>, answer: string | null): string | null {
  const text = answer?.trim().replace(/^"(.*)"$/, '$1') ?? '';
  if (text === '' || text.length > maxLength || unwanted.test(text)) return null;
  return sameNumbers(template, text) && count(template) === count(text) ? text : null;
}

function count(text: string): number {
  return text.match(placeholder)?.length ?? 0;
}

function sameNumbers(one: string, other: string): boolean {
  const numbers = (text: string) => (text.match(/\d+/g) ?? []).toSorted().join(' ');
  return numbers(one) === numbers(other);
}
