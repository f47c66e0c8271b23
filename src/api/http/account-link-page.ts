import { readFileSync } from 'node:fs';
import type Router from '@koa/router';
import { accountLinkPath } from '../../domain/identity/account-link-url.ts';
import type { RequestState } from './request-context.ts';

/** Nothing but our own two files and the two calls; no frame, no form that goes elsewhere, no other address. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const files = [
  { path: accountLinkPath, file: 'page.html', type: 'text/html' },
  { path: `${accountLinkPath}/page.css`, file: 'page.css', type: 'text/css' },
  { path: `${accountLinkPath}/page.js`, file: 'page.js', type: 'text/javascript' },
] as const;

/**
 * Serves the page on which the holder of a one-time link chooses a password and enrols a second factor (T-36). It is the
 * same for everybody: the script sends the token in the body of a call.
 */
export function mountAccountLinkPage(router: Router<RequestState>): void {
  for (const { path, file, type } of files) {
    const text = readFileSync(new URL(`./account-link-page/${file}`, import.meta.url), 'utf8');
    router.get(path, (ctx) => {
      ctx.state.routePath = accountLinkPath;
      ctx.set({ 'content-security-policy': policy, 'referrer-policy': 'no-referrer', 'x-robots-tag': 'noindex, nofollow' });
      ctx.type = type;
      ctx.body = text;
    });
  }
}
