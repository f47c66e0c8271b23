import { dataOf } from './http.ts';
import type { Http } from './http.ts';

/** The functions of the admin UI (S2-2..45), under the names it knows them by. */
export type AdminApi = ReturnType<typeof createAdminApi>;

export function createAdminApi(http: Http) {
  return {
    /** Asks for a second factor for one action with one payload (S2-44). */
    requestMFACode: (body: { action: string; payload_digest: string }) => dataOf(http.POST('/admin/mfa/request', { body })),

    /** Answers a challenge; the token goes into the repeated request (S2-45). */
    verifyMFACode: (body: { challenge_id: string; code: string }) => dataOf(http.POST('/admin/mfa/verify', { body })),
  };
}
