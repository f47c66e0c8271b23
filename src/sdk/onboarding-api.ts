import { createHeaders, dataOf, outcomeOf } from './http.ts';
import type { BodyOf, CreateOptions, Http, QueryOf } from './http.ts';

/** Onboarding links (S3-15..22). All throw `ProblemError`. */
export type OnboardingApi = ReturnType<typeof createOnboardingApi>;

const base = '/api/admin/onboarding';

/** The last three are for the holder of a link and need no session. */
export function createOnboardingApi(http: Http) {
  return {
    /** Creates a link; its address is in the answer and nowhere else (S3-15). */
    createLink: (body: BodyOf<'createOnboardingLink'>) => dataOf(http.POST(`${base}/create-link`, { body })),

    /** Links, newest first (S3-16). */
    getLinks: (query: QueryOf<'getOnboardingLinks'> = {}) => dataOf(http.GET(`${base}/links`, { params: { query } })),

    /** One link with the accesses to it (S3-17). */
    getLink: (link_id: string) => dataOf(http.GET(`${base}/link/{link_id}`, { params: { path: { link_id } } })),

    /** Revokes a link for good (S3-18). */
    revokeLink: (link_id: string, body: BodyOf<'revokeOnboardingLink'> = {}, options: CreateOptions = {}) =>
      outcomeOf(
        http.POST(`${base}/link/{link_id}/revoke`, { body, params: { path: { link_id }, header: createHeaders(options) } }),
      ),

    /** Extends a link (S3-19). */
    extendLink: (link_id: string, body: BodyOf<'extendOnboardingLink'> = {}, options: CreateOptions = {}) =>
      dataOf(
        http.POST(`${base}/link/{link_id}/extend`, { body, params: { path: { link_id }, header: createHeaders(options) } }),
      ),

    /** Validity periods of links (S3-51). */
    getSettings: () => dataOf(http.GET(`${base}/settings`)),

    /** Changes the validity periods of links; what is left out stays. */
    updateSettings: (body: BodyOf<'updateOnboardingSettings'>) => dataOf(http.PUT(`${base}/settings`, { body })),

    /** What the holder of a link sees; this opens it, which a scanner that only follows the address does not (S3-20). */
    open: (link_token: string) =>
      dataOf(
        http.GET(`${base}/o/{link_token}`, {
          params: { path: { link_token } },
          headers: { 'x-requested-with': 'castellan-sdk' },
        }),
      ),

    /** Saves progress on top of the version that was read (S3-21). */
    saveProgress: (link_token: string, body: BodyOf<'saveOnboardingProgress'>) =>
      dataOf(http.PUT(`${base}/o/{link_token}/progress`, { body, params: { path: { link_token } } })),

    /** Completes the onboarding; a repetition gets the same answer (S3-22). */
    complete: (link_token: string, body: BodyOf<'completeOnboarding'> = {}) =>
      dataOf(http.POST(`${base}/o/{link_token}/complete`, { body, params: { path: { link_token } } })),
  };
}
