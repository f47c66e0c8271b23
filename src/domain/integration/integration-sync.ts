import type { RemoteFault, SyncStatus, SyncTrigger } from './integration.ts';
import type { RecordFailure } from './integration-records.ts';

/** A sync as the API shows it: the operation that a caller follows to its end (S2-19). */
export interface SyncJobView {
  id: string;
  integration_id: string;
  trigger: SyncTrigger;
  requested_by: string | null;
  status: SyncStatus;
  created_count: number;
  updated_count: number;
  unchanged_count: number;
  failed_count: number;
  missing_count: number;
  removed_count: number;
  page_count: number;
  /** The first records that could not be stored. */
  failures: readonly RecordFailure[];
  error_code: string | null;
  error_detail: string | null;
  /** RFC 3339. */
  created_at: string;
  ended_at: string | null;
}

/** Why a sync failed: a fault of the remote system, a workflow that an operator terminated, or a fault of our own. */
export type SyncFault = RemoteFault | 'abandoned' | 'internal';

/** How a sync ends; whether records could not be stored follows from its counts. */
export type SyncEnd =
  | { readonly status: 'succeeded' | 'cancelled' }
  | { readonly status: 'failed'; readonly error_code: SyncFault; readonly error_detail: string };
