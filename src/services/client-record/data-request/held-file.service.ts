import { timestampText } from '../../../domain/shared/timestamp-text.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem } from '../../../platform/problem.ts';
import type { ProcessDeps } from '../../../platform/process-deps.ts';
import { auditDataRequest } from './client-data-request-audit.service.ts';
import { lockDataRequest } from './client-data-request.repository.ts';
import { collectHeld } from './held-about-client.queries.ts';
import type { HeldFile } from './held-about-client.queries.ts';
import { heldPage } from './held-page.ts';

/** How the file of an access request is written. */
export const heldFormats = ['json', 'html'] as const;
export type HeldFormat = (typeof heldFormats)[number];

/**
 * Makes the file of an access request whose approval was executed. It is made for this download and stored nowhere; the download is
 * audited. The request is locked meanwhile, so that no erasure comes between.
 *
 * @param nowMs milliseconds since the epoch.
 * @throws Problem 404; `client.data-not-approved` for a request that was not fulfilled, or asks for erasure; `client.data-gone` when
 *   its time is over.
 */
export async function heldFile(tx: Tx, deps: Pick<ProcessDeps, 'db'>, requestId: string, format: HeldFormat, nowMs: number): Promise<string> {
  const request = await lockDataRequest(tx, requestId);
  const { id, kind, client_id, received_on, status, available_until } = request;
  if (kind !== 'access' || status !== 'fulfilled' || available_until == null) {
    const detail = kind === 'access' ? `The request is ${status}; its file needs an approval.` : 'A request for erasure has no file.';
    throw new Problem({ code: 'client.data-not-approved', detail });
  }
  if (Date.parse(available_until) <= nowMs) {
    throw new Problem({ code: 'client.data-gone', detail: `The file could be downloaded until ${available_until}. Open another request.` });
  }
  const held = await collectHeld(deps, tx.actor, { id, kind, received_on, client_id }, timestampText(nowMs));
  const rows = held.parts.map((part) => ({ part: part.name, count: part.rows.length }));
  auditDataRequest(tx, 'download', request, { format, rows });
  return format === 'json' ? jsonOf(held) : heldPage(held);
}

function jsonOf({ parts, ...rest }: HeldFile): string {
  return JSON.stringify({ ...rest, held: Object.fromEntries(parts.map(({ name, rows }) => [name, rows])) }, null, 2);
}
