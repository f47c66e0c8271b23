import { fork, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { guestCores } from '../../src/platform/guest/guest-cores.ts';
import { projectFile } from '../stack.ts';
import type { BenchStack } from '../stack.ts';
import { figuresOf, interleave, meets, noiseNotes, ratioOf, sequentialSlice } from '../harness.ts';
import type { GoalResult, Plan } from '../harness.ts';
import { prepareDecisions } from './approval.ts';

const goal = { at: 'most', limit: 1.5 } as const;

/** What the process of the hostile guests is told, and answers when it is so. */
export type HostileWord = 'begin' | 'pause';

/** How often each guest has come to its end so far. */
export interface HostileCounts {
  readonly syncs: number;
  readonly proposals: number;
}

/**
 * A decision on an approval request while another tenant has hostile sources read and a hostile schema checked, over and
 * over, against the same decision alone (T-21, T-22). The guests' own side runs in a process of its own.
 */
export async function benchGuests(stack: BenchStack, plan: Plan): Promise<GoalResult[]> {
  const admin = new pg.Client({ connectionString: stack.adminUrl });
  await admin.connect();
  const connection = await Connection.connect({ address: stack.env.TEMPORAL_ADDRESS });
  const guests = fork(projectFile('bench/arms/hostile-guests.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  if (guests.pid !== undefined) keepApart(guests.pid);
  guests.send({ env: stack.env, adminUrl: stack.adminUrl, url: stack.api.url, person: stack.people[1] });
  try {
    await answered(guests);
    const bench = await prepareDecisions(stack, admin, new Client({ connection, namespace: stack.env.TEMPORAL_NAMESPACE }));
    let counts: HostileCounts = { syncs: 0, proposals: 0 };
    const slice = (word: HostileWord) => async (durationMs: number) => {
      counts = await told(guests, word);
      return sequentialSlice(durationMs, () => bench.decideThroughApi());
    };
    const slices = await interleave(
      [
        { name: 'alone', slice: slice('pause') },
        { name: 'beside hostile guests', slice: slice('begin') },
      ],
      plan,
    );
    counts = await told(guests, 'pause');
    const value = ratioOf(slices, 'beside hostile guests', 'alone', 'p99Ms');
    const median = ratioOf(slices, 'beside hostile guests', 'alone', 'p50Ms');
    return [
      {
        id: 'guests-approval',
        title: 'Approval decision beside hostile sources and schemas',
        figure: 'p99 latency, beside them / alone',
        value,
        goal,
        met: meets(value, goal),
        arms: figuresOf(slices),
        notes: [
          `p50 ratio: ${median.median.toFixed(2)} (${median.min.toFixed(2)}–${median.max.toFixed(2)})`,
          `Meanwhile ended: ${counts.syncs} syncs, ${counts.proposals} proposals`,
          ...noiseNotes(slices, 'alone'),
        ],
      },
    ];
  } finally {
    guests.kill();
    await Promise.all([admin.end(), connection.close()]);
  }
}

/** In truth it is another machine, so its side takes as little as possible from what is measured. */
function keepApart(pid: number): void {
  setPriority(pid, 19);
  const cores = guestCores();
  if (cores !== null) spawnSync('taskset', ['-acp', cores, String(pid)]);
}

async function told(guests: ChildProcess, word: HostileWord): Promise<HostileCounts> {
  const counts = answered(guests);
  guests.send(word);
  return (await counts) as HostileCounts;
}

/** @throws Error when the process ends instead */
async function answered(guests: ChildProcess): Promise<unknown> {
  const over = new AbortController();
  const { signal } = over;
  try {
    const ended = once(guests, 'exit', { signal }).then(() => Promise.reject(new Error('The hostile guests have ended.')));
    const [message] = (await Promise.race([once(guests, 'message', { signal }), ended])) as [unknown];
    return message;
  } finally {
    over.abort();
  }
}
