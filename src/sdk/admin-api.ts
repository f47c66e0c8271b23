import { createHeaders, dataOf, outcomeOf, streamOf, versionHeaders } from './http.ts';
import type { BodyOf, CreateOptions, Http, QueryOf, VersionedOptions } from './http.ts';

/** The functions of the admin UI (S2-2..45), under the names it knows them by. All throw `ProblemError`. */
export type AdminApi = ReturnType<typeof createAdminApi>;

/** Calls that a gate guards answer `mfa.required` first: wrap them with `client.withMfa`. */
export function createAdminApi(http: Http) {
  return { ...userApi(http), ...roleApi(http), ...featureFlagApi(http), ...integrationApi(http), ...queueApi(http), ...configurationApi(http), ...healthApi(http), ...auditApi(http), ...approvalApi(http), ...secondFactorApi(http) };
}

function userApi(http: Http) {
  return {
    /** Accounts of the tenant, newest first (S2-3). */
    getUsers: (query: QueryOf<'getUsers'> = {}) => dataOf(http.GET('/admin/users', { params: { query } })),

    /** One account (S2-4). */
    getUserById: (id: string) => dataOf(http.GET('/admin/users/{id}', { params: { path: { id } } })),

    /** Creates an account, with roles where wanted (S2-5); with a role that decides this opens an approval request. */
    createUser: (body: BodyOf<'createUser'>, options: CreateOptions = {}) =>
      outcomeOf(http.POST('/admin/users', { body, params: { header: createHeaders(options) } })),

    /** Changes an account; what is left out stays (S2-6). The way in of somebody who decides takes an approval. */
    updateUser: (id: string, body: BodyOf<'updateUser'>, options: VersionedOptions) =>
      outcomeOf(http.PUT('/admin/users/{id}', { body, params: { path: { id }, header: versionHeaders(options) } })),

    /** Deletes an account; its row stays for the audit (S2-7, S2-72). */
    deleteUser: (id: string, query: QueryOf<'deleteUser'>, options: VersionedOptions) =>
      outcomeOf(http.DELETE('/admin/users/{id}', { params: { path: { id }, query, header: versionHeaders(options) } })),

    /** Ends all sessions of a user, within a second everywhere (S2-8). */
    forceLogoutUser: (id: string, options: CreateOptions = {}) =>
      dataOf(http.POST('/admin/users/{id}/force-logout', { params: { path: { id }, header: createHeaders(options) } })),

    /** Sessions of a user, newest first (S2-9). */
    getUserSessions: (id: string, query: QueryOf<'getUserSessions'> = {}) =>
      dataOf(http.GET('/admin/users/{id}/sessions', { params: { path: { id }, query } })),
  };
}

function roleApi(http: Http) {
  return {
    /** Roles with their place in the hierarchy (S2-10). */
    getRoles: () => dataOf(http.GET('/admin/roles')),

    /** Permission matrix of a role (S2-11). */
    getRolePermissions: (id: string) => dataOf(http.GET('/admin/roles/{id}/permissions', { params: { path: { id } } })),

    /** Changes what a role gives (S2-12). */
    updateRolePermissions: (id: string, body: BodyOf<'updateRolePermissions'>, options: VersionedOptions) =>
      outcomeOf(
        http.PUT('/admin/roles/{id}/permissions', { body, params: { path: { id }, header: versionHeaders(options) } }),
      ),

    /** The ledger of role assignments, also as of a point in time (S2-13). */
    getRoleAssignmentHistory: (query: QueryOf<'getRoleAssignmentHistory'> = {}) =>
      dataOf(http.GET('/admin/role-assignments/history', { params: { query } })),
  };
}

function featureFlagApi(http: Http) {
  return {
    /** Flags by key, one for each environment (S2-14). */
    getFeatureFlags: (query: QueryOf<'getFeatureFlags'> = {}) =>
      dataOf(http.GET('/admin/feature-flags', { params: { query } })),

    /** Switches a flag; in production this opens an approval request (S2-15, S2-60). */
    toggleFeatureFlag: (key: string, body: BodyOf<'toggleFeatureFlag'>, options: CreateOptions = {}) =>
      outcomeOf(
        http.POST('/admin/feature-flags/{key}/toggle', { body, params: { path: { key }, header: createHeaders(options) } }),
      ),

    /** Every version of a flag, newest first (S2-16). */
    getFeatureFlagHistory: (key: string, query: QueryOf<'getFeatureFlagHistory'> = {}) =>
      dataOf(http.GET('/admin/feature-flags/{key}/history', { params: { path: { key }, query } })),
  };
}

function configurationApi(http: Http) {
  return {
    /** What each environment runs and what is being rolled out; secrets are masked (S2-35). */
    getEnvironmentConfig: (query: QueryOf<'getEnvironmentConfig'> = {}) =>
      dataOf(http.GET('/admin/environment-config', { params: { query } })),

    /** Proposes a change and shows the difference; where approval is asked for, this opens a request (S2-36). */
    proposeConfigChange: (body: BodyOf<'proposeConfigChange'>, options: CreateOptions = {}) =>
      outcomeOf(http.POST('/admin/environment-config/proposals', { body, params: { header: createHeaders(options) } })),

    /** Deployments of configurations, newest first (S2-37). */
    getDeploymentHistory: (query: QueryOf<'getDeploymentHistory'> = {}) =>
      dataOf(http.GET('/admin/deployments', { params: { query } })),

    /** Goes back to what a deployment brought, at once for everybody (S2-38). */
    rollbackConfig: (id: string, body: BodyOf<'rollbackConfig'>, options: CreateOptions = {}) =>
      outcomeOf(http.POST('/admin/deployments/{id}/rollback', { body, params: { path: { id }, header: createHeaders(options) } })),
  };
}

function integrationApi(http: Http) {
  return {
    /** Integrations, newest first; secrets are masked (S2-17). */
    getIntegrations: (query: QueryOf<'getIntegrations'> = {}) =>
      dataOf(http.GET('/admin/integrations', { params: { query } })),

    /** One integration (S2-18). */
    getIntegrationDetails: (id: string) => dataOf(http.GET('/admin/integrations/{id}', { params: { path: { id } } })),

    /** Fetches records now, or joins the sync that runs; its end state counts them (S2-19). */
    triggerManualSync: (id: string, options: CreateOptions = {}) =>
      dataOf(http.POST('/admin/integrations/{id}/sync', { params: { path: { id }, header: createHeaders(options) } })),

    /** Replaces what an integration is connected with; a secret that is left out stays (S2-20). */
    updateIntegrationConfig: (id: string, body: BodyOf<'updateIntegrationConfig'>, options: VersionedOptions) =>
      outcomeOf(
        http.PUT('/admin/integrations/{id}/config', { body, params: { path: { id }, header: versionHeaders(options) } }),
      ),

    /** Begins the exchange of a key; in production this opens an approval request (S2-21). */
    rotateAPIKey: (id: string, body: BodyOf<'rotateAPIKey'>, options: CreateOptions = {}) =>
      outcomeOf(
        http.POST('/admin/integrations/{id}/rotate-key', {
          body,
          params: { path: { id }, header: createHeaders(options) },
        }),
      ),

    /** Syncs of an integration, newest first (S2-22). */
    getSyncJobHistory: (id: string, query: QueryOf<'getSyncJobHistory'> = {}) =>
      dataOf(http.GET('/admin/integrations/{id}/sync-jobs', { params: { path: { id }, query } })),
  };
}

function queueApi(http: Http) {
  return {
    /** Registered queues by name, with what their engines say (S2-23). */
    getQueues: (query: QueryOf<'getQueues'> = {}) => dataOf(http.GET('/admin/queues', { params: { query } })),

    /** One queue with the age of its oldest waiting job and its rates (S2-24). */
    getQueueDetails: (name: string) => dataOf(http.GET('/admin/queues/{name}', { params: { path: { name } } })),

    /** Jobs of a queue in one state, with masked data (S2-25). */
    getQueueJobs: (name: string, query: QueryOf<'getQueueJobs'> = {}) =>
      dataOf(http.GET('/admin/queues/{name}/jobs', { params: { path: { name }, query } })),

    /** Tries a failed job again (S2-26). */
    retryFailedJob: (name: string, jobId: string, body: BodyOf<'retryFailedJob'>, options: CreateOptions = {}) =>
      dataOf(
        http.POST('/admin/queues/{name}/jobs/{job_id}/retry', {
          body,
          params: { path: { name, job_id: jobId }, header: createHeaders(options) },
        }),
      ),

    /** Stops a queue until a time at which it goes on by itself (S2-27). */
    pauseQueue: (name: string, body: BodyOf<'pauseQueue'>, options: CreateOptions = {}) =>
      dataOf(http.POST('/admin/queues/{name}/pause', { body, params: { path: { name }, header: createHeaders(options) } })),

    /** Lets a paused queue go on before its time (S2-28). */
    resumeQueue: (name: string, body: BodyOf<'resumeQueue'> = {}, options: CreateOptions = {}) =>
      dataOf(http.POST('/admin/queues/{name}/resume', { body, params: { path: { name }, header: createHeaders(options) } })),
  };
}

function healthApi(http: Http) {
  return {
    /** Overview of all areas; a section that cannot be read is marked (S2-2). */
    getAdminDashboard: () => dataOf(http.GET('/admin/dashboard')),

    /** Status of every component as last measured (S2-32). */
    getSystemHealth: () => dataOf(http.GET('/admin/system-health')),

    /** The history of one metric in steps (S2-33). */
    getSystemMetricsHistory: (query: QueryOf<'getSystemMetricsHistory'>) =>
      dataOf(http.GET('/admin/system-health/metrics', { params: { query } })),

    /** Replaces the thresholds of the tenant on top of the version that was read; 0 before any were set (S2-34). */
    configureSystemAlerts: (body: BodyOf<'configureSystemAlerts'>, options: VersionedOptions) =>
      dataOf(http.PUT('/admin/system-health/alerts', { body, params: { header: versionHeaders(options) } })),
  };
}

function auditApi(http: Http) {
  return {
    /** Audit entries, newest first (S2-29). */
    getAuditLogs: (query: QueryOf<'getAuditLogs'> = {}) => dataOf(http.GET('/admin/audit-logs', { params: { query } })),

    /** One entry with old and new values and its proof (S2-30). */
    getAuditLogDetails: (id: string) => dataOf(http.GET('/admin/audit-logs/{id}', { params: { path: { id } } })),

    /** All entries that pass the filters, as a stream of CSV or JSON lines with a signed manifest (S2-31, S2-74). */
    exportAuditLogs: (query: QueryOf<'exportAuditLogs'> = {}) =>
      streamOf(http.GET('/admin/audit-logs/export', { params: { query }, parseAs: 'stream' })),
  };
}

function approvalApi(http: Http) {
  return {
    /** Approval requests, newest first (S2-39). */
    getApprovalRequests: (query: QueryOf<'getApprovalRequests'> = {}) =>
      dataOf(http.GET('/admin/approvals', { params: { query } })),

    /** Asks for the approval of a change, which runs by itself when the policy is met (S2-40). */
    createApprovalRequest: (body: BodyOf<'createApprovalRequest'>, options: CreateOptions = {}) =>
      dataOf(http.POST('/admin/approvals', { body, params: { header: createHeaders(options) } })),

    /** Approves a request as it was shown, by its digest (S2-41). */
    approveRequest: (id: string, body: BodyOf<'approveRequest'>, options: CreateOptions = {}) =>
      dataOf(http.POST('/admin/approvals/{id}/approve', { body, params: { path: { id }, header: createHeaders(options) } })),

    /** Rejects a request, with the reason (S2-42). */
    rejectRequest: (id: string, body: BodyOf<'rejectRequest'>, options: CreateOptions = {}) =>
      dataOf(http.POST('/admin/approvals/{id}/reject', { body, params: { path: { id }, header: createHeaders(options) } })),

    /** History of all approval requests, newest first (S2-43). */
    getApprovalHistory: (query: QueryOf<'getApprovalHistory'> = {}) =>
      dataOf(http.GET('/admin/approvals/history', { params: { query } })),
  };
}

function secondFactorApi(http: Http) {
  return {
    /** Asks for a second factor for one action with one payload (S2-44). */
    requestMFACode: (body: BodyOf<'requestMFACode'>) => dataOf(http.POST('/admin/mfa/request', { body })),

    /** Answers a challenge; the token goes into the repeated request (S2-45). */
    verifyMFACode: (body: BodyOf<'verifyMFACode'>) => dataOf(http.POST('/admin/mfa/verify', { body })),
  };
}
