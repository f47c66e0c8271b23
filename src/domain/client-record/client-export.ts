import type { JsonObject } from '../shared/canonical.ts';
import type { ClientKind } from './client.ts';

/**
 * Which clients an approved export holds. Words of a name are not among them: they would stand in the request and in its history,
 * and approvers would have to be shown whom they are about.
 */
export interface ClientExportFilters extends JsonObject {
  readonly state: 'active' | 'deleted';
  readonly kind: ClientKind | null;
  readonly created_by: string | null;
  /** RFC 3339; at or after. */
  readonly created_from: string | null;
  /** RFC 3339; before. */
  readonly created_to: string | null;
}

/** How long the file of an approved export can be fetched. */
export const exportLifeMs = 24 * 60 * 60 * 1000;
