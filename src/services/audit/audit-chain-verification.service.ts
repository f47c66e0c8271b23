import { escapeLiteral } from 'pg';
import type { Client } from 'pg';
import { ChainVerifier } from '../../domain/audit/audit-chain.ts';
import type { ChainPosition, ChainReport, Finding, TrustedCheckpoint } from '../../domain/audit/audit-chain.ts';
import { isUuid } from '../../domain/shared/uuid.ts';
import { copyOut } from '../../platform/database/copy-out.ts';
import { sha256 } from '../../platform/audit/audit-hash.ts';
import { openCheckpoint, originOfChain } from './signed-note.ts';
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

/** What was archived and dropped of a chain: the entries up to `to_seq` are in archives, of which this is the last. */
export interface NamedArchive {
  readonly to_seq: number;
  /** File below `AUDIT_ARCHIVE_DIR`. */
  readonly archive_name: string;
  /** Hex SHA-256 of the file. */
  readonly archive_digest: string;
}

/** A {@link ChainReport} of a chain in the database. */
export interface StoredChainReport extends ChainReport {
  /** The last archive of the chain; null while nothing was dropped. */
  readonly archive: NamedArchive | null;
  /** Why the chain is not anchored, in words; null when it is, or when the findings say it. */
  readonly reason: string | null;
}

/** Of the checkpoints in the database the newest are compared, so that memory does not grow with age. */
const maxStoredCheckpoints = 10_000;

/**
 * Recomputes a whole chain as it stands in the database, in one snapshot and in constant memory.
 *
 * @param url of a role that may see the chain; the application's role does
 * @throws the database's error, RangeError when `chainId` is no UUID
 */
export async function verifyChain(
  url: string,
  chainId: string,
  options: VerifyOptions = {},
): Promise<StoredChainReport> {
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
    return anchored(findings.length === 0 ? report : withFindings(report, findings), segment);
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
    if (opened !== null && opened.origin === originOfChain(chainId) && (size === null || size === opened.size)) {
      trusted.push({ ...opened, is_outside: size === null });
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
  readonly archive_name: string;
  readonly archive_digest: string;
  readonly stated_seq: string | null;
}

/** What the record of the newest dropped segment says. */
interface DroppedPart {
  readonly position: ChainPosition | undefined;
  readonly trusted: readonly TrustedCheckpoint[];
  readonly findings: Finding[];
  readonly archive: NamedArchive | null;
  /** Place of the chained entry that names the archive. */
  readonly stated_seq: number | null;
}

/**
 * Where the remaining rows begin: the record of the newest dropped segment replaces the rows before. It is trusted for
 * its signature, which later rows and checkpoints must continue, and only together with the chained entry that says what
 * was dropped and names its archive.
 */
async function loadSegment(client: Client, chainId: string, { verifiers = [] }: VerifyOptions): Promise<DroppedPart> {
  const { rows } = await client.query<StoredSegment>(
    `select s.to_seq, s.chain_hash, s.frontier, s.note, s.archive_name, encode(s.archive_digest, 'hex') as archive_digest, (
       select min(l.seq) from audit_logs l where l.chain_id = s.chain_id and l.seq > s.to_seq
         and l.event = 'audit.segment-drop' and l.resource_id = s.to_seq::text
         and l.private #>> '{new_values,archive_name}' = s.archive_name
         and l.private #>> '{new_values,archive_digest}' = encode(s.archive_digest, 'hex')
     ) as stated_seq
     from audit_segments s where s.chain_id = $1 order by s.to_seq desc limit 1`,
    [chainId],
  );
  const [segment] = rows;
  const findings: Finding[] = [];
  if (segment === undefined) return { position: undefined, trusted: [], findings, archive: null, stated_seq: null };
  const size = Number(segment.to_seq);
  const position = { frontier: { size, hashes: segment.frontier }, chain_hash: segment.chain_hash };
  const opened = verifiers.length === 0 ? null : openCheckpoint(segment.note, verifiers);
  const isSigned = verifiers.length === 0 || (opened?.origin === originOfChain(chainId) && opened.size >= size);
  if (!isSigned) findings.push({ kind: 'checkpoint', seq: 1, detail: `the segment up to ${size} has no valid signature` });
  if (segment.stated_seq === null) {
    const detail = `rows up to ${size} are gone and no entry says that they were dropped and where they were archived`;
    findings.push({ kind: 'sequence', seq: 1, detail });
  }
  return {
    position,
    trusted: opened === null || !isSigned ? [] : [opened],
    findings,
    archive: { to_seq: size, archive_name: segment.archive_name, archive_digest: segment.archive_digest },
    stated_seq: segment.stated_seq === null ? null : Number(segment.stated_seq),
  };
}

/**
 * A chain of which a part was dropped is anchored only when the checkpoint from outside covers the entry that names the
 * archive: before that, the database alone says what has become of the rows.
 */
function anchored(report: ChainReport, { archive, stated_seq }: DroppedPart): StoredChainReport {
  if (report.state === 'damaged') return { ...report, archive, reason: null };
  if (report.anchored_size === null) {
    return { ...report, archive, reason: 'No checkpoint from outside the database was compared.' };
  }
  if (stated_seq !== null && report.anchored_size < stated_seq) {
    const reason = `No checkpoint from outside the database covers entry ${stated_seq}, which names the last archive.`;
    return { ...report, state: 'unanchored', archive, reason };
  }
  return { ...report, archive, reason: null };
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
  return { ...report, state: 'damaged', first_bad_seq: Math.min(...findings.map(({ seq }) => seq)), findings };
}
