import { createHeaders, dataOf } from './http.ts';
import type { BodyOf, CreateOptions, Http, QueryOf } from './http.ts';

/** Who stands behind whom, confirmations, and votes that are taken back (ADR 24). All throw `ProblemError`. */
export type FourEyesApi = ReturnType<typeof createFourEyesApi>;

/** Calls that a gate guards answer `mfa.required` first: wrap them with `client.withMfa`. */
export function createFourEyesApi(http: Http) {
  return {
    /** What people have done to accounts of others; `state: 'open'` is what waits for a confirmation (T-8). */
    getAccountActs: (query: QueryOf<'getAccountActs'> = {}) => dataOf(http.GET('/admin/account-acts', { params: { query } })),

    /** Confirms that an account is the person it says it is; names the open acts that were shown (T-8). */
    confirmUser: (id: string, body: BodyOf<'confirmUser'>, options: CreateOptions = {}) =>
      dataOf(http.POST('/admin/users/{id}/confirm', { body, params: { path: { id }, header: createHeaders(options) } })),

    /** Confirms many accounts at once: all of them or none. */
    confirmUsers: (body: BodyOf<'confirmUsers'>, options: CreateOptions = {}) =>
      dataOf(http.POST('/admin/users/confirm', { body, params: { header: createHeaders(options) } })),

    /** Withdraws the own approval, until the last quorum is met (T-12). */
    withdrawApproval: (id: string, body: BodyOf<'withdrawApproval'>, options: CreateOptions = {}) =>
      dataOf(http.POST('/admin/approvals/{id}/withdraw', { body, params: { path: { id }, header: createHeaders(options) } })),
  };
}
