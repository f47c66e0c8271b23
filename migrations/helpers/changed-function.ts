/** The text of a function that a frozen migration created, as one that replaces what stands. @throws Error when it is not there. */
export function replacing(frozen: readonly string[], name: string): string {
  const created = frozen.find((text) => text.startsWith(`create function ${name}(`));
  if (created === undefined) throw new Error(`No function ${name}.`);
  return created.replace('create function', 'create or replace function');
}

/** A text with one part changed. @throws Error unless the part stands in it exactly once. */
export function withPart(text: string, before: string, after: string): string {
  const [start, end, ...more] = text.split(before);
  if (start === undefined || end === undefined || more.length > 0) throw new Error(`Not exactly once: ${before}`);
  return `${start}${after}${end}`;
}
