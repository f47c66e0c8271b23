const pattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Whether a text is a UUID as the product writes it: lower case, of any version. (`uuid` of `platform/value-schemas.ts` also takes
 * capitals and checks version and variant; it is for input that names a row.)
 */
export function isUuid(text: string): boolean {
  return pattern.test(text);
}
