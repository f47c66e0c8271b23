import { createHeaders, dataOf, outcomeOf, streamOf, versionHeaders } from './http.ts';
import type { BodyOf, CreateOptions, Http, QueryOf, VersionedOptions } from './http.ts';

/** Client records (S4-2, S4-19). All throw `ProblemError`. */
export type ClientsApi = ReturnType<typeof createClientsApi>;

export function createClientsApi(http: Http) {
  return { ...recordApi(http), ...fileApi(http), ...mergeApi(http), ...dataRequestApi(http) };
}

function recordApi(http: Http) {
  return {
    /** Client records, newest first or by name, with masked CPF. */
    getClients: (query: QueryOf<'getClients'> = {}) => dataOf(http.GET('/api/v1/clients', { params: { query } })),

    /** Client records by what must not stand in an address, such as a CPF. */
    searchClients: (body: BodyOf<'searchClients'>) => dataOf(http.POST('/api/v1/clients/search', { body })),

    /** One client record, a deleted one included. */
    getClient: (client_id: string) => dataOf(http.GET('/api/v1/clients/{client_id}', { params: { path: { client_id } } })),

    /** Creates a client record. The conflict of a number that is taken names the other client, and how to restore it (S4-20). */
    createClient: (body: BodyOf<'createClient'>, options: CreateOptions = {}) =>
      dataOf(http.POST('/api/v1/clients', { body, params: { header: createHeaders(options) } })),

    /** Changes a client record; what is left out stays. */
    updateClient: (client_id: string, body: BodyOf<'updateClient'>, options: VersionedOptions) =>
      dataOf(
        http.PUT('/api/v1/clients/{client_id}', {
          body,
          params: { path: { client_id }, header: versionHeaders(options) },
        }),
      ),

    /** Deletes a client record; it keeps its number and can be restored. */
    deleteClient: (client_id: string, options: VersionedOptions) =>
      dataOf(
        http.DELETE('/api/v1/clients/{client_id}', {
          params: { path: { client_id }, header: versionHeaders(options) },
        }),
      ),

    /** Restores a deleted client record. */
    restoreClient: (client_id: string, options: VersionedOptions) =>
      dataOf(
        http.POST('/api/v1/clients/{client_id}/restore', {
          params: { path: { client_id }, header: versionHeaders(options) },
        }),
      ),

    /** The full CPF for this one answer; the reason is audited (S4-23). */
    revealClientCpf: (client_id: string, body: BodyOf<'revealClientCpf'>) =>
      dataOf(http.POST('/api/v1/clients/{client_id}/reveal', { body, params: { path: { client_id } } })),
  };
}

const dataRequest = '/api/v1/client-data-requests/{request_id}';

/** Requests of clients about their data. */
function dataRequestApi(http: Http) {
  return {
    /** Writes down that a client asks what is held of them, or to be erased. */
    openDataRequest: (client_id: string, body: BodyOf<'createClientDataRequest'>, options: CreateOptions = {}) =>
      dataOf(
        http.POST('/api/v1/clients/{client_id}/data-requests', {
          body,
          params: { path: { client_id }, header: createHeaders(options) },
        }),
      ),

    /** Requests, the first to fall due first. */
    getDataRequests: (query: QueryOf<'getClientDataRequests'> = {}) =>
      dataOf(http.GET('/api/v1/client-data-requests', { params: { query } })),

    /** One request, with the contact and the prospect that an erasure would leave. */
    getDataRequest: (request_id: string) => dataOf(http.GET(dataRequest, { params: { path: { request_id } } })),

    /** Asks for the approval to fulfil a request. */
    fulfilDataRequest: (request_id: string, options: CreateOptions = {}) =>
      outcomeOf(http.POST(`${dataRequest}/fulfil`, { params: { path: { request_id }, header: createHeaders(options) } })),

    /** Refuses a request with a reason. */
    refuseDataRequest: (request_id: string, body: BodyOf<'refuseClientDataRequest'>, options: CreateOptions = {}) =>
      dataOf(http.POST(`${dataRequest}/refuse`, { body, params: { path: { request_id }, header: createHeaders(options) } })),

    /** Closes a request that the client has taken back. */
    withdrawDataRequest: (request_id: string, options: CreateOptions = {}) =>
      dataOf(http.POST(`${dataRequest}/withdraw`, { params: { path: { request_id }, header: createHeaders(options) } })),

    /** Everything that is held of a client, for an access request that was approved. */
    downloadData: (request_id: string, query: QueryOf<'downloadClientData'> = {}) =>
      streamOf(http.GET(`${dataRequest}/file`, { params: { path: { request_id }, query }, parseAs: 'stream' })),

    /** How long requests may take, and when to remind. */
    getSettings: () => dataOf(http.GET('/api/v1/client-settings')),

    /** Replaces the settings; `version` 0 where nothing was written. */
    replaceSettings: (body: BodyOf<'updateClientSettings'>, options: VersionedOptions) =>
      dataOf(http.PUT('/api/v1/client-settings', { body, params: { header: versionHeaders(options) } })),
  };
}

const base = '/api/v1/clients';
const merges = '/api/v1/client-merges';

/** Duplicates, merges, conversion and history. */
function mergeApi(http: Http) {
  return {
    /** Which clients somebody may be already, and by what. */
    findDuplicates: (body: BodyOf<'findClientDuplicates'>) => dataOf(http.POST(`${base}/duplicates`, { body })),

    /** Which other clients may be the same as a client. */
    getDuplicates: (client_id: string) => dataOf(http.GET(`${base}/{client_id}/duplicates`, { params: { path: { client_id } } })),

    /** Clients that have a value in common, group by group. */
    getDuplicateGroups: (query: QueryOf<'getClientDuplicateGroups'>) => dataOf(http.GET(`${base}/duplicates`, { params: { query } })),

    /** Merges another client into this one; the version is that of this one. */
    merge: (client_id: string, body: BodyOf<'mergeClients'>, options: VersionedOptions) =>
      dataOf(http.POST(`${base}/{client_id}/merge`, { body, params: { path: { client_id }, header: versionHeaders(options) } })),

    /** Undoes a merge within thirty days. */
    undoMerge: (merge_id: string, options: CreateOptions = {}) =>
      dataOf(http.POST(`${merges}/{merge_id}/undo`, { params: { path: { merge_id }, header: createHeaders(options) } })),

    /** Merges, newest first. */
    getMerges: (query: QueryOf<'getClientMerges'> = {}) => dataOf(http.GET(merges, { params: { query } })),

    /** Makes a client of a contact or of an own prospect. */
    convert: (body: BodyOf<'convertToClient'>, options: CreateOptions = {}) =>
      dataOf(http.POST(`${base}/convert`, { body, params: { header: createHeaders(options) } })),

    /** What was done to a client and who has read it, newest first. */
    getHistory: (client_id: string, query: QueryOf<'getClientHistory'> = {}) =>
      dataOf(http.GET(`${base}/{client_id}/history`, { params: { path: { client_id }, query } })),
  };
}

/** CSV files. */
function fileApi(http: Http) {
  return {
    /** Imports a CSV file, all rows or none; with `mode: 'preview'` it is only checked, and no client is written. */
    importClients: (csv: string, query: QueryOf<'importClients'> = {}) =>
      dataOf(
        http.POST(`${base}/import`, {
          body: csv,
          bodySerializer: (text) => text,
          headers: { 'content-type': 'text/csv' },
          params: { query },
        }),
      ),

    /** CSV with masked CPF, as it arrives. */
    exportClients: (query: QueryOf<'exportClients'> = {}) =>
      streamOf(http.GET(`${base}/export`, { params: { query }, parseAs: 'stream' })),

    /** Asks for an export with full CPF; it waits for somebody else, and the answer is the request. */
    requestClientExport: (body: BodyOf<'requestClientExport'>, options: CreateOptions = {}) =>
      dataOf(http.POST(`${base}/exports`, { body, headers: createHeaders(options) })),

    /** Own approved exports with full CPF. */
    getClientExports: (query: QueryOf<'getClientExports'> = {}) => dataOf(http.GET(`${base}/exports`, { params: { query } })),

    /** CSV with full CPF of an approved export, as it arrives; for its requester, for a day. */
    fetchClientExport: (export_id: string) =>
      streamOf(http.GET(`${base}/exports/{export_id}/file`, { params: { path: { export_id } }, parseAs: 'stream' })),
  };
}
