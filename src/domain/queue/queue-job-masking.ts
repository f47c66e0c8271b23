import { redactChange } from '../audit/audit-redaction.ts';

/** The longest text of a job that is displayed, in characters. */
const maxTextLength = 2_000;

/** The data of a job with secrets masked by the rules of the audit (S2-58). */
export function maskedJobData(data: unknown): unknown {
  return redactChange({ new_values: data }).new_values;
}

/** An error's text with secrets masked, cut to a readable length. */
export function maskedText(text: string): string {
  const masked = maskedJobData(text);
  return typeof masked === 'string' ? masked.slice(0, maxTextLength) : '';
}
