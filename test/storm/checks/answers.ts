import { isDeepStrictEqual } from 'node:util';
import { CompiledQuery } from 'kysely';
import { outcomeOf } from '../load/command.ts';
import type { CommandRecord, Essence, Operation } from '../load/command.ts';
import { nameOf } from './history.ts';
import type { StormHistory } from './history.ts';
import { Findings } from './violation.ts';
import type { Finding } from './violation.ts';

type Counts = ReadonlyMap<string, number>;

/** Each success has its effect exactly once, and what was said not to be done has none: in the rows and in the audit. */
export async function checkAnswers(history: StormHistory): Promise<Finding> {
  const found = new Findings(1);
  const { records } = history;
  const byOutcome = (outcome: string) => records.filter((record) => outcomeOf(record) === outcome).length;
  found.figure('commands', records.length);
  found.figure('requests', records.reduce((sum, { attempts }) => sum + attempts.length, 0));
  found.figure('done', byOutcome('done'));
  found.figure('not done', byOutcome('not done'));
  found.figure('once unknown', records.filter(({ attempts }) => attempts.some(({ verdict }) => verdict === 'unknown')).length);
  const rows = await effectsOf(history);
  const entries = await auditOf(history);
  for (const record of records) {
    const outcome = outcomeOf(record);
    found.expect(outcome !== 'unknown', 'the outcome is still unknown', () => `${nameOf(record)}: ${said(record)}`);
    for (const { verdict, status, detail } of record.attempts) {
      found.expect(verdict !== 'broken', 'an answer is none of the three outcomes', () => `${nameOf(record)}: ${status} ${detail}`);
    }
    if (outcome === 'unknown') continue;
    const wanted = outcome === 'done' ? 1 : 0;
    const fits = (n: number) => n === wanted || (n === 0 && record.operation.mayChangeNothing === true);
    const [inRows, inAudit] = [rows.get(markerKey(record)), entries.get(record.request_id) ?? 0];
    found.expect(inRows === undefined || fits(inRows), `${outcome}, but not ${wanted} in the rows`, () => `${nameOf(record)}: ${inRows} effects; ${said(record)}`);
    found.expect(fits(inAudit), `${outcome}, but not ${wanted} in the audit`, () => `${nameOf(record)}: ${inAudit} entries; ${said(record)}`);
  }
  return found.finding;
}

/** All successes of one key are the same answer. */
export async function checkRepetitions({ records }: Pick<StormHistory, 'records'>): Promise<Finding> {
  const found = new Findings(2);
  let repetitions = 0;
  for (const record of records) {
    const answers = record.attempts.flatMap(({ essence }) => essence ?? []);
    const [first, ...others] = answers;
    repetitions += others.length;
    if (first === undefined) continue;
    for (const other of others) {
      found.expect(isSame(record.operation, first, other), 'two answers for one key', () => {
        return `${nameOf(record)}: ${JSON.stringify(first)} and ${JSON.stringify(other)}`;
      });
    }
    const made = record.attempts.filter(({ verdict, is_replay }) => verdict === 'done' && !is_replay).length;
    found.expect(made <= 1, 'two answers that are both the first', () => `${nameOf(record)}: ${said(record)}`);
    const lastDone = record.attempts.findIndex(({ verdict }) => verdict === 'done');
    const begins = record.attempts[lastDone]?.ended_at ?? 0;
    const refusedLater = record.attempts.find(({ verdict, sent_at }) => verdict === 'refused' && sent_at > begins);
    found.expect(refusedLater === undefined, 'refused after it was done', () => `${nameOf(record)}: ${said(record)}`);
  }
  found.figure('keys', records.length);
  found.figure('repeated answers', repetitions);
  found.figure('sent at once', records.filter(({ manner }) => manner === 'at once').length);
  return found.finding;
}

function isSame({ answersPresentState }: Operation, one: Essence, other: Essence): boolean {
  return answersPresentState === true ? one.status === other.status : isDeepStrictEqual(one, other);
}

/** What was answered, one after the other. */
function said({ attempts }: CommandRecord): string {
  return attempts.map(({ verdict, status, code, sent_at, ended_at, url }) => {
    return `${verdict} (${status ?? 'no answer'}${code === null ? '' : ` ${code}`}, ${new URL(url).port}, ${new Date(sent_at).toISOString()} + ${ended_at - sent_at} ms)`;
  }).join('; ');
}

const markerKey = ({ operation, planned }: CommandRecord) => `${operation.name}\n${planned.marker}`;

/** Effects in the rows by operation and marker; none for operations that only the audit tells of. */
async function effectsOf({ db, records }: StormHistory): Promise<Counts> {
  const counts = new Map<string, number>();
  for (const operation of new Set(records.map((record) => record.operation))) {
    if (operation.effects === null) continue;
    const own = records.filter((record) => record.operation === operation);
    for (const record of own) counts.set(markerKey(record), 0);
    const query = CompiledQuery.raw(operation.effects, [own.map(({ planned }) => planned.marker)]);
    const { rows } = await db.executeQuery<{ marker: string; n: number }>(query);
    for (const { marker, n } of rows) counts.set(`${operation.name}\n${marker}`, n);
  }
  return counts;
}

/** Audit entries of the command itself by request; an operation with several states counts once, and one that failed does not. */
async function auditOf({ db, records }: StormHistory): Promise<Counts> {
  const events = new Map(records.map((record) => [record.request_id, record.operation.event]));
  const { rows } = await db.executeQuery<{ request_id: string; event: string; n: number }>(
    CompiledQuery.raw(
      `select request_id, event, count(*)::int as n
       from (select request_id, event from audit_logs where outcome = 'success' and request_id = any($1)
         group by request_id, event, coalesce(new_values ->> 'event_id', seq::text)
         having not bool_or(new_values ->> 'event_id' is not null and new_values ->> 'state' = 'failed')) attempted
       group by 1, 2`,
      [[...events.keys()]],
    ),
  );
  return new Map(rows.filter(({ request_id, event }) => events.get(request_id) === event).map(({ request_id, n }) => [request_id, n]));
}
