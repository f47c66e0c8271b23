import { changeHeaders, createHeaders, dataOf, outcomeOf, versionHeaders } from './http.ts';
import type { BodyOf, ChangeOptions, CreateOptions, Http, QueryOf, VersionedOptions } from './http.ts';

/** Campaigns, contacts and their assignees (S3-1..7, S3-39). All throw `ProblemError`. */
export type AssignmentApi = ReturnType<typeof createAssignmentApi>;

/** Removals follow the tenant's gate table: wrap them with `client.withMfa` where it asks for a factor. */
export function createAssignmentApi(http: Http) {
  return { ...peopleApi(http), ...campaignApi(http), ...contactApi(http), ...batchApi(http) };
}

function peopleApi(http: Http) {
  return {
    /** Campaigns and contacts of a user (S3-2). */
    getUserAssignments: (user_id: string, query: QueryOf<'getUserAssignments'> = {}) =>
      dataOf(http.GET('/api/admin/users/{user_id}/assignments', { params: { path: { user_id }, query } })),

    /** Campaigns and contacts of the caller. */
    getMyAssignments: (query: QueryOf<'getMyAssignments'> = {}) =>
      dataOf(http.GET('/users/me/assignments', { params: { query } })),

    /** Assigns a user to campaigns (S3-3). */
    assignCampaigns: (user_id: string, body: BodyOf<'assignCampaigns'>, options: CreateOptions = {}) =>
      dataOf(
        http.POST('/api/admin/users/{user_id}/assign-campaigns', {
          body,
          params: { path: { user_id }, header: createHeaders(options) },
        }),
      ),

    /** Assigns contacts to a user, or auto-assigns them within the pool of the user (S3-4). */
    assignContacts: (user_id: string, body: BodyOf<'assignContacts'>, options: CreateOptions = {}) =>
      dataOf(
        http.POST('/api/admin/users/{user_id}/assign-contacts', {
          body,
          params: { path: { user_id }, header: createHeaders(options) },
        }),
      ),

    /** Removes a user from a campaign (S3-6). */
    removeUserCampaign: (user_id: string, campaign_id: string, options: ChangeOptions = {}) =>
      outcomeOf(
        http.DELETE('/api/admin/users/{user_id}/campaigns/{campaign_id}', {
          params: { path: { user_id, campaign_id }, header: changeHeaders(options) },
        }),
      ),

    /** Removes a contact from a user (S3-7). */
    removeUserContact: (user_id: string, contact_id: string, options: ChangeOptions = {}) =>
      outcomeOf(
        http.DELETE('/api/admin/users/{user_id}/contacts/{contact_id}', {
          params: { path: { user_id, contact_id }, header: changeHeaders(options) },
        }),
      ),

    /** Why a user has a contact, with a replay of the choice. */
    explainContactAssignment: (user_id: string, contact_id: string) =>
      dataOf(http.GET('/api/admin/users/{user_id}/contacts/{contact_id}', { params: { path: { user_id, contact_id } } })),

    /** Who would be assigned the contacts of a user. */
    previewHandOver: (user_id: string, query: QueryOf<'previewHandOver'> = {}) =>
      dataOf(http.GET('/api/admin/users/{user_id}/hand-over', { params: { path: { user_id }, query } })),

    /** Reassigns all contacts of a user. */
    handOverContacts: (user_id: string, body: BodyOf<'handOverContacts'>, options: CreateOptions = {}) =>
      dataOf(
        http.POST('/api/admin/users/{user_id}/hand-over', {
          body,
          params: { path: { user_id }, header: createHeaders(options) },
        }),
      ),
  };
}

function campaignApi(http: Http) {
  return {
    /** Campaigns, newest first. */
    getCampaigns: (query: QueryOf<'getCampaigns'> = {}) => dataOf(http.GET('/api/admin/campaigns', { params: { query } })),

    /** One campaign. */
    getCampaign: (campaign_id: string) =>
      dataOf(http.GET('/api/admin/campaigns/{campaign_id}', { params: { path: { campaign_id } } })),

    /** Creates a campaign. */
    createCampaign: (body: BodyOf<'createCampaign'>, options: CreateOptions = {}) =>
      dataOf(http.POST('/api/admin/campaigns', { body, params: { header: createHeaders(options) } })),

    /** Changes a campaign; what is left out stays. */
    updateCampaign: (campaign_id: string, body: BodyOf<'updateCampaign'>, options: VersionedOptions) =>
      dataOf(
        http.PUT('/api/admin/campaigns/{campaign_id}', {
          body,
          params: { path: { campaign_id }, header: versionHeaders(options) },
        }),
      ),

    /** Deletes a campaign; contacts stay with their owners. */
    deleteCampaign: (campaign_id: string, options: VersionedOptions) =>
      outcomeOf(
        http.DELETE('/api/admin/campaigns/{campaign_id}', {
          params: { path: { campaign_id }, header: versionHeaders(options) },
        }),
      ),

    /** Who takes part in auto-assignment, and why a member gets nothing at present. */
    getCampaignPool: (campaign_id: string) =>
      dataOf(http.GET('/api/admin/campaigns/{campaign_id}/pool', { params: { path: { campaign_id } } })),

    /** Changes weight, capacity, absence or permissions of a member. */
    updateCampaignMember: (campaign_id: string, user_id: string, body: BodyOf<'updateCampaignMember'>) =>
      dataOf(
        http.PUT('/api/admin/campaigns/{campaign_id}/members/{user_id}', {
          body,
          params: { path: { campaign_id, user_id } },
        }),
      ),

    /** Contacts that wait, the next one first. */
    getCampaignQueue: (campaign_id: string, query: QueryOf<'getCampaignQueue'> = {}) =>
      dataOf(http.GET('/api/admin/campaigns/{campaign_id}/queue', { params: { path: { campaign_id }, query } })),

    /** Auto-assigns contacts to the pool of a campaign; the batch shows how far it is (S3-39). */
    autoAssignContacts: (campaign_id: string, body: BodyOf<'autoAssignContacts'>, options: CreateOptions = {}) =>
      dataOf(
        http.POST('/api/admin/campaigns/{campaign_id}/auto-assign', {
          body,
          params: { path: { campaign_id }, header: createHeaders(options) },
        }),
      ),
  };
}

function contactApi(http: Http) {
  return {
    /** Contacts, newest first. */
    getContacts: (query: QueryOf<'getContacts'> = {}) => dataOf(http.GET('/api/admin/contacts', { params: { query } })),

    /** One contact. */
    getContact: (contact_id: string) =>
      dataOf(http.GET('/api/admin/contacts/{contact_id}', { params: { path: { contact_id } } })),

    /** Creates a contact. */
    createContact: (body: BodyOf<'createContact'>, options: CreateOptions = {}) =>
      dataOf(http.POST('/api/admin/contacts', { body, params: { header: createHeaders(options) } })),

    /** Changes a contact; what is left out stays. */
    updateContact: (contact_id: string, body: BodyOf<'updateContact'>, options: VersionedOptions) =>
      dataOf(
        http.PUT('/api/admin/contacts/{contact_id}', {
          body,
          params: { path: { contact_id }, header: versionHeaders(options) },
        }),
      ),

    /** Deletes a contact; its history stays. */
    deleteContact: (contact_id: string, options: VersionedOptions) =>
      outcomeOf(
        http.DELETE('/api/admin/contacts/{contact_id}', {
          params: { path: { contact_id }, header: versionHeaders(options) },
        }),
      ),

    /** Creates contacts from a CSV file. */
    importContacts: (body: BodyOf<'importContacts'>, options: CreateOptions = {}) =>
      dataOf(http.POST('/api/admin/contacts/import', { body, params: { header: createHeaders(options) } })),

    /** All assignees of a contact over time, each with the reason. */
    getContactAssignments: (contact_id: string, query: QueryOf<'getContactAssignments'> = {}) =>
      dataOf(http.GET('/api/admin/contacts/{contact_id}/assignments', { params: { path: { contact_id }, query } })),
  };
}

function batchApi(http: Http) {
  return {
    /** Batches, newest first. */
    getAssignmentBatches: (query: QueryOf<'getAssignmentBatches'> = {}) =>
      dataOf(http.GET('/api/admin/assignment-batches', { params: { query } })),

    /** Progress of a batch. */
    getAssignmentBatch: (batch_id: string) =>
      dataOf(http.GET('/api/admin/assignment-batches/{batch_id}', { params: { path: { batch_id } } })),

    /** Result of each contact of a batch. */
    getAssignmentBatchItems: (batch_id: string, query: QueryOf<'getAssignmentBatchItems'> = {}) =>
      dataOf(http.GET('/api/admin/assignment-batches/{batch_id}/items', { params: { path: { batch_id }, query } })),

    /** Ends a batch early; what it has done stays. */
    cancelAssignmentBatch: (batch_id: string, options: CreateOptions = {}) =>
      dataOf(
        http.POST('/api/admin/assignment-batches/{batch_id}/cancel', {
          params: { path: { batch_id }, header: createHeaders(options) },
        }),
      ),
  };
}
