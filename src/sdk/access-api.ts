import { changeHeaders, createHeaders, dataOf, versionHeaders } from './http.ts';
import type { BodyOf, ChangeOptions, CreateOptions, Http, QueryOf, VersionedOptions } from './http.ts';

/** Who may do what. All throw `ProblemError`. */
export type AccessApi = ReturnType<typeof createAccessApi>;

/** A software module whose use is granted person by person. */
type SoftwareModule = BodyOf<'createAgentPermission'>['agent_name'];

/** Calls that a gate guards answer `mfa.required` first: wrap them with `client.withMfa`. */
export function createAccessApi(http: Http) {
  return {
    ...modulePermissionApi(http),

    /** Whether somebody may do something, also with a certain campaign or contact, and by which rule. */
    checkPermission: (body: BodyOf<'checkPermission'>) => dataOf(http.POST('/rbac/check-permission', { body })),

    /** One role with what it gives. */
    getRole: (id: string) => dataOf(http.GET('/admin/roles/{id}', { params: { path: { id } } })),
  };
}

const modulePath = '/api/v1/users/{id}/agent-permissions/{agent}';

function modulePermissionApi(http: Http) {
  return {
    /** Module permissions of all people, e.g. `state: 'expiring'` for what ends within three days (S4-19, S4-25). */
    getAllAgentPermissions: (query: QueryOf<'getAllAgentPermissions'> = {}) =>
      dataOf(http.GET('/api/v1/agent-permissions', { params: { query } })),

    /** Module permissions of one person. */
    getAgentPermissions: (userId: string) =>
      dataOf(http.GET('/api/v1/users/{id}/agent-permissions', { params: { path: { id: userId } } })),

    /** Lets a person use a module, of what the caller may do in it, and no longer (S4-26). */
    grantAgentPermission: (userId: string, body: BodyOf<'createAgentPermission'>, options: CreateOptions = {}) =>
      dataOf(
        http.POST('/api/v1/users/{id}/agent-permissions', {
          body,
          params: { path: { id: userId }, header: createHeaders(options) },
        }),
      ),

    /** Replaces what a person may do in a module, on the version that was read; what is left out is taken. */
    replaceAgentPermission: (
      userId: string,
      agent: SoftwareModule,
      body: BodyOf<'updateAgentPermission'>,
      options: VersionedOptions,
    ) => dataOf(http.PUT(modulePath, { body, params: { path: { id: userId, agent }, header: versionHeaders(options) } })),

    /** Moves the end later, or takes it away by null; a permission that has expired is in force again. */
    extendAgentPermission: (
      userId: string,
      agent: SoftwareModule,
      body: BodyOf<'extendAgentPermission'>,
      options: CreateOptions & VersionedOptions,
    ) =>
      dataOf(
        http.POST(`${modulePath}/extend`, {
          body,
          params: { path: { id: userId, agent }, header: { ...createHeaders(options), ...versionHeaders(options) } },
        }),
      ),

    /** Takes a module from a person. */
    revokeAgentPermission: (userId: string, agent: SoftwareModule, options: ChangeOptions = {}) =>
      dataOf(http.DELETE(modulePath, { params: { path: { id: userId, agent }, header: changeHeaders(options) } })),
  };
}
