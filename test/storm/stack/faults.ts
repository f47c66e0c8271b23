import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { CastellanSchema } from '../../../src/entities/kysely-schema.ts';
import type { Random } from '../random.ts';
import { partNames } from './part.ts';
import type { Part, PartName } from './part.ts';

/** What is done to a part: ended at once, ended in order, stopped for a while, or cut off from the database. */
export type FaultKind = 'kill' | 'orderly end' | 'stop' | 'cut connections';

/** A planned fault. Times in milliseconds, the first one since the beginning of the storm. */
export interface Fault {
  readonly at: number;
  readonly part: PartName;
  readonly kind: FaultKind;
  /** How long the part is away before it is started again, or goes on. */
  readonly away: number;
}

const weights = [
  ...partNames.flatMap((part) => {
    const weight = part === 'postgres' || part === 'temporal' ? 1 : 0.8;
    return (['kill', 'orderly end', 'stop'] as const).map((kind) => ({ part, kind, weight: kind === 'kill' ? weight * 2 : weight }));
  }),
  { part: 'postgres' as const, kind: 'cut connections' as const, weight: 3 },
];

/** The faults of a storm; they follow from the seed alone. */
export function planFaults(random: Random, lengthMs: number): Fault[] {
  const faults: Fault[] = [];
  // Some load without a fault at both ends.
  for (let at = 3_000; at < lengthMs - 3_000; at += random.between(1_500, 8_000)) {
    const { part, kind } = random.weighted(weights);
    faults.push({ at: Math.round(at), part, kind, away: Math.round(random.between(200, 6_000)) });
  }
  return faults;
}

/** A fault as it went. */
export interface MadeFault extends Fault {
  /** Milliseconds since the beginning; null while the part is away. */
  backAt: number | null;
}

/**
 * Makes the faults in their time. One that meets a part that is still away is left out: each has its own course, and two
 * parts can be away at once.
 *
 * @param tell gets one line for each step
 * @returns what was made, once every part is back
 */
export async function makeFaults(
  faults: readonly Fault[],
  { parts, db, tell }: { parts: ReadonlyMap<PartName, Part>; db: Kysely<CastellanSchema>; tell: (line: string) => void },
): Promise<MadeFault[]> {
  const begin = Date.now();
  const made: MadeFault[] = [];
  const away = new Set<PartName>();
  const courses: Promise<void>[] = [];
  for (const fault of faults) {
    await sleep(Math.max(0, begin + fault.at - Date.now()));
    const part = parts.get(fault.part);
    if (part === undefined || away.has(fault.part) || !part.isUp) {
      tell(`${fault.part}: ${fault.kind} left out, it is away`);
      continue;
    }
    const one: MadeFault = { ...fault, backAt: null };
    made.push(one);
    away.add(fault.part);
    const course = async () => {
      tell(`${fault.part}: ${fault.kind}, away for ${(fault.away / 1_000).toFixed(1)} s`);
      await make(part, fault, db);
      one.backAt = Date.now() - begin;
      away.delete(fault.part);
      tell(`${fault.part}: back`);
    };
    courses.push(course());
  }
  await Promise.all(courses);
  return made;
}

async function make(part: Part, { kind, away }: Fault, db: Kysely<CastellanSchema>): Promise<void> {
  switch (kind) {
    case 'cut connections':
      await cutConnections(db);
      return;
    case 'stop':
      await part.signal('SIGSTOP');
      await sleep(away);
      await part.signal('SIGCONT');
      return;
    case 'kill':
    case 'orderly end':
      await part.end(kind === 'kill' ? 'SIGKILL' : part.orderly);
      await sleep(away);
      await part.start();
  }
}

/** About half of what API and workers are connected by. */
async function cutConnections(db: Kysely<CastellanSchema>): Promise<void> {
  const cut = sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name like 'castellan%' and usename = 'castellan' and random() < 0.5`;
  await cut.execute(db).catch(() => undefined);
}
