/** The pattern of `like` and `ilike` for values that contain a text; wildcards in the text mean themselves. */
export function containsPattern(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`;
}
