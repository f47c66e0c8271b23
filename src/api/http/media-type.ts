/**
 * The media type of a request's body without its parameters, in small letters because its capitals mean nothing (RFC 9110
 * section 8.3.1); empty where none is named.
 */
export function mediaType({ type }: { readonly type: string }): string {
  return type.trim().toLowerCase();
}
