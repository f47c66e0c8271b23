/** Where a one-time link leads; its token stands behind `#`, which browsers send to nobody. */
export const accountLinkPath = '/account-link';

/** The address that the holder of a one-time link opens. */
export function accountLinkUrl(publicUrl: string, token: string): string {
  return new URL(`${accountLinkPath}#${token}`, publicUrl).href;
}
