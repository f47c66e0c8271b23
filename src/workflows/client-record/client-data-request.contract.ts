import { TypedSearchAttributes } from '@temporalio/common';
import { defineSignal } from '@temporalio/workflow';
import type { DataRequestNews, DataRequestState, DataRequestStatus } from '../../domain/client-record/data-request.ts';
import { searchAttributes } from '../shared/search-attributes.ts';

/** Name under which the workflow is registered. */
export const clientDataRequestWorkflowType = 'clientDataRequestWorkflow';

/** The request of a workflow. Ids only: nothing that is said of a client may get into its history. */
export interface ClientDataRequestInput {
  tenant_id: string;
  request_id: string;
}

/** What is to be told of a request. */
export type ClientDataRequestTelling = ClientDataRequestInput & DataRequestNews;

/** The activities of the workflow; `src/activities/client-record/client-data-request.activities.ts`. */
export interface ClientDataRequestActivities {
  /** Reads the request. Null: there is none of that id. */
  readClientDataRequest(input: ClientDataRequestInput): Promise<DataRequestState | null>;
  /** Tells those who answer requests, unless it is answered by now; the same news is told once. */
  tellOfClientDataRequest(input: ClientDataRequestTelling): Promise<void>;
}

/** How the workflow ended. */
export interface ClientDataRequestResult {
  status: DataRequestStatus | 'missing';
}

/** The row of the request has changed, so the workflow reads it again. */
export const clientDataRequestChangedSignal = defineSignal('changed');

/** Id of a request's workflow. */
export function clientDataRequestWorkflowId({ tenant_id, request_id }: ClientDataRequestInput): string {
  return `client-data-request/${tenant_id}/${request_id}`;
}

/** Everything but the task queue that a start together with the signal needs. */
export function clientDataRequestStartOptions(input: ClientDataRequestInput) {
  return {
    workflowId: clientDataRequestWorkflowId(input),
    args: [input] as [ClientDataRequestInput],
    signal: clientDataRequestChangedSignal,
    signalArgs: [] as [],
    typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.tenantId, value: input.tenant_id }]),
    staticSummary: `Data request ${input.request_id} of a client`,
    staticDetails: `Reminds of the request \`${input.request_id}\` before it is due, and tells when it is overdue; its times are in its row.`,
  };
}
