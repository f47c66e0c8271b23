import { z } from 'zod';
import type { PulledConfig, RemoteFault } from '../../domain/integration/integration.ts';
import { remoteFaults } from '../../domain/integration/integration.ts';
import { recordFaults, recordLimits } from '../../domain/integration/integration-records.ts';
import type { RemotePage } from '../../domain/integration/integration-records.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { isTooDeep } from '../../domain/shared/storable-json.ts';

/** One page to be read in the process of a guest. It is sent by message: arguments and environment are seen by others. */
export interface PageJob {
  readonly config: PulledConfig;
  readonly secret: string;
  readonly cursor: string | null;
  /** The checked address of a database. */
  readonly address: string | null;
  /** `OUTBOUND_ALLOW`, for a service over HTTP. */
  readonly allow: readonly string[];
}

/** More records than any `page_size`. */
const maxRecords = 1_000;

/** A record may not be deeper than what our own recursion takes, whatever the process that read it says. */
const payload = z
  .record(z.string(), z.unknown())
  .refine((value) => !isTooDeep(value))
  .transform((value) => value as JsonObject);

const page = z.strictObject({
  records: z.array(z.strictObject({ external_id: z.string().min(1).max(recordLimits.idLength), payload })).max(maxRecords),
  failures: z
    .array(
      z.strictObject({
        external_id: z.string().max(recordLimits.idLength).nullable(),
        place: z.int().min(0),
        reason: z.enum(recordFaults),
      }),
    )
    .max(maxRecords),
  next_cursor: z.string().max(recordLimits.cursorLength).nullable(),
});

/** What the process answers: the page, or why there is none, in words that contain no part of what was received. */
export const pageAnswer = z.union([
  z.strictObject({ page }),
  z.strictObject({ fault: z.enum(remoteFaults), message: z.string().max(300), retryAfterMs: z.number().nullable() }),
]);

/** {@link pageAnswer} as the process writes it. */
export type PageAnswer =
  | { readonly page: RemotePage }
  | { readonly fault: RemoteFault; readonly message: string; readonly retryAfterMs: number | null };
