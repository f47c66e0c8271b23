import { createHeaders, dataOf } from './http.ts';
import type { BodyOf, CreateOptions, Http, QueryOf } from './http.ts';

/** Who stands behind whom, confirmations, votes that are taken back, and help from outside (ADR 24). All throw `ProblemError`. */
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

    /** Whom the platform's staff have named as administrators of a tenant, newest first (R12). */
    getAdministratorNamings: (id: string, query: QueryOf<'getAdministratorNamings'> = {}) =>
      dataOf(http.GET('/tenants/{id}/administrators', { params: { path: { id }, query } })),

    /** Asks that somebody is named as administrator of a tenant; a colleague of the staff has to approve it. */
    nameAdministrator: (id: string, body: BodyOf<'nameAdministrator'>, options: CreateOptions = {}) =>
      dataOf(http.POST('/tenants/{id}/administrators', { body, params: { path: { id }, header: createHeaders(options) } })),

    /** Takes a naming back before the decisions of the person count. */
    takeBackAdministrator: (id: string, namingId: string, body: BodyOf<'takeBackAdministrator'>, options: CreateOptions = {}) =>
      dataOf(
        http.POST('/tenants/{id}/administrators/{namingId}/take-back', {
          body,
          params: { path: { id, namingId }, header: createHeaders(options) },
        }),
      ),

    /** Withdraws the own approval, until the last quorum is met (T-12). */
    withdrawApproval: (id: string, body: BodyOf<'withdrawApproval'>, options: CreateOptions = {}) =>
      dataOf(http.POST('/admin/approvals/{id}/withdraw', { body, params: { path: { id }, header: createHeaders(options) } })),
  };
}
