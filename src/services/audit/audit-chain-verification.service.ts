import { escapeLiteral } from 'pg';
import type { Client } from 'pg';
import { ChainVerifier } from '../../domain/audit/audit-chain.ts';
import type { ChainReport, Finding, TrustedCheckpoint } from '../../domain/audit/audit-chain.ts';
import { isUuid } from '../../domain/shared/uuid.ts';
import { copyOut } from '../../platform/database/copy-out.ts';
import { sha256 } from '../../platform/audit/audit-hash.ts';
import { openCheckpoint } from './signed-note.ts';
import type { CheckpointVerifier } from './signed-note.ts';
import { connectClient } from '../../platform/database/connections.ts';

export interface VerifyOptions {
  /** Keys that signatures of checkpoints are verified with. Without any, only the chain itself is verified. */
  readonly verifiers?: readonly CheckpointVerifier[];
  /** Signed notes from outside the database: only by them a chain that was cut off, deleted or rewritten is found. */
  readonly notes?: readonly string[];
  /** Also compare the columns that people filter by with the chained entries; reads every entry as JSON (slower). */
  readonly columns?: boolean;
}

/** Of the checkpoints in the database the newest are compared, so that memory does not grow with age. */
const maxStoredCheckpoints = 10_000;

/**
 * Recomputes a whole chain as it stands in the database, in one snapshot and in constant memory.
 *
 * @param url of a role that may see the chain; the application's role does
 * @throws the database's error, RangeError when `chainId` is no UUID
 */
export async function verifyChain(url: string, chainId: string, options: VerifyOptions = {}): Promise<ChainReport> {
  if (!isUuid(chainId)) throw new RangeError('A chain id is a UUID in lower case.');
  const client = await connectClient(url, 'castellan-audit-verify');
  try {
    await client.query('begin transaction isolation level repeatable read read only');
    await client.query("select set_config('app.tenant_id', $1, true)", [chainId]);
    const { trusted, findings } = await loadCheckpoints(client, chainId, options);
    const segment = await loadSegment(client, chainId, options);
    findings.push(...segment.findings);
    const checkpoints = [...trusted, ...segment.trusted];
    const verifier = new ChainVerifier(sha256, chainId, { checkpoints, from: segment.position });
    await streamChain(client, chainId, verifier);
    const report = verifier.finish(await loadHead(client, chainId));
    if (options.columns === true) findings.push(...(await compareColumns(client, chainId)));
    return findings.length === 0 ? report : withFindings(report, findings);
  } finally {
    await client.end();
  }
}

async function streamChain(client: Client, chainId: string, verifier: ChainVerifier): Promise<void> {
  const chain = escapeLiteral(chainId);
  const statement = `copy (
    select seq, recorded_at, entry, private, entry_hash, chain_hash
    from audit_logs where chain_id = ${chain}::uuid order by seq
  ) to stdout (format binary)`;
  await copyOut(client, statement, ([seq, recordedAt, entry, hidden, entryHash, chainHash]) => {
    verifier.add({
      seq: int64(seq),
      recorded_at_ms: int64(recordedAt) / 1000 + postgresEpochMs,
      entry: entry ?? empty,
      private: hidden ?? null,
      entry_hash: entryHash ?? empty,
      chain_hash: chainHash ?? empty,
    });
  });
}

const empty = Buffer.alloc(0);
/** 2000-01-01, from which PostgreSQL counts microseconds in binary form. */
const postgresEpochMs = 946_684_800_000;

/** The numbers of a chain are below 2^53, so two halves make an exact number without a BigInt. */
function int64(field: Buffer | null | undefined): number {
  return field == null ? 0 : field.readInt32BE(0) * 2 ** 32 + field.readUInt32BE(4);
}

async function loadHead(client: Client, chainId: string): Promise<{ size: number; chain_hash: Buffer } | null> {
  const { rows } = await client.query<{ size: string; chain_hash: Buffer }>(
    'select size, chain_hash from audit_heads where chain_id = $1',
    [chainId],
  );
  const head = rows[0];
  return head === undefined ? null : { size: Number(head.size), chain_hash: head.chain_hash };
}

async function loadCheckpoints(
  client: Client,
  chainId: string,
  { verifiers = [], notes = [] }: VerifyOptions,
): Promise<{ trusted: TrustedCheckpoint[]; findings: Finding[] }> {
  if (verifiers.length === 0) return { trusted: [], findings: [] };
  const { rows } = await client.query<{ size: string; note: string }>(
    'select size, note from audit_checkpoints where chain_id = $1 order by size desc limit $2',
    [chainId, maxStoredCheckpoints],
  );
  const trusted: TrustedCheckpoint[] = [];
  const findings: Finding[] = [];
  const stored = rows.map(({ size, note }) => ({ size: Number(size), note }));
  for (const { size, note } of [...stored, ...notes.map((text) => ({ size: null, note: text }))]) {
    const opened = openCheckpoint(note, verifiers);
    if (opened !== null && (size === null || size === opened.size)) {
      trusted.push(opened);
    } else {
      const place = size === null ? 'A given checkpoint' : `The stored checkpoint of size ${size}`;
      findings.push({ kind: 'checkpoint', seq: size ?? 1, detail: `${place} has no valid signature` });
    }
  }
  return { trusted, findings };
}

interface StoredSegment {
  readonly to_seq: string;
  readonly chain_hash: Buffer;
  readonly frontier: Buffer[];
  readonly note: string;
  readonly is_stated: boolean;
}

/**
 * Where the remaining rows begin: the record of the newest dropped segment replaces the rows before. It is trusted for
 * its signature, which later rows and checkpoints must continue, and only together with the chained entry about what
 * was dropped.
 */
async function loadSegment(client: Client, chainId: string, { verifiers = [] }: VerifyOptions) {
  const { rows } = await client.query<StoredSegment>(
    `select s.to_seq, s.chain_hash, s.frontier, s.note, exists (
       select from audit_logs l where l.chain_id = s.chain_id and l.seq > s.to_seq
         and l.event = 'audit.segment-drop' and l.resource_id = s.to_seq::text
     ) as is_stated
     from audit_segments s where s.chain_id = $1 order by s.to_seq desc limit 1`,
    [chainId],
  );
  const [segment] = rows;
  const findings: Finding[] = [];
  if (segment === undefined) return { position: undefined, trusted: [], findings };
  const size = Number(segment.to_seq);
  const position = { frontier: { size, hashes: segment.frontier }, chain_hash: segment.chain_hash };
  const opened = verifiers.length === 0 ? null : openCheckpoint(segment.note, verifiers);
  const isSigned = verifiers.length === 0 || opened?.size === size;
  if (!isSigned) findings.push({ kind: 'checkpoint', seq: 1, detail: `the segment up to ${size} has no valid signature` });
  if (!segment.is_stated) {
    findings.push({ kind: 'sequence', seq: 1, detail: `rows up to ${size} are gone and no entry says that they were dropped` });
  }
  return { position, trusted: opened === null || !isSigned ? [] : [opened], findings };
}

/** The columns that lists are filtered by must equal what is chained, or a row could be hidden from a filtered list. */
async function compareColumns(client: Client, chainId: string): Promise<Finding[]> {
  const { rows } = await client.query<{ seq: string | null }>(
    `select min(l.seq) as seq
     from audit_logs l,
       json_to_record(l.entry) as r(id uuid, tenant_id uuid, occurred_at timestamptz, actor json, area text, event text,
         action text, resource_type text, resource_id text, outcome text, request_id text)
     where l.chain_id = $1
       and (l.id, l.tenant_id, l.occurred_at, l.user_id, l.area, l.event, l.action, l.resource_type, l.resource_id,
         l.outcome, l.request_id)
       is distinct from (r.id, r.tenant_id, r.occurred_at, (r.actor ->> 'user_id')::uuid, r.area, r.event, r.action,
         r.resource_type, r.resource_id, r.outcome, r.request_id)`,
    [chainId],
  );
  const seq = rows[0]?.seq ?? null;
  return seq === null
    ? []
    : [{ kind: 'entry', seq: Number(seq), detail: 'the columns of the row are not those of its entry' }];
}

function withFindings(report: ChainReport, more: readonly Finding[]): ChainReport {
  const findings = [...report.findings, ...more];
  return { ...report, valid: false, first_bad_seq: Math.min(...findings.map(({ seq }) => seq)), findings };
}
