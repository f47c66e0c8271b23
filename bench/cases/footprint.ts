import { meets, spreadOf } from '../harness.ts';
import type { GoalResult } from '../harness.ts';
import type { BenchStack } from '../stack.ts';

const goal = { at: 'most', limit: 3_000 } as const;

/** Start of API and worker alone, with running servers and a prebuilt bundle; and their memory after all cases. */
export async function benchFootprint(stack: BenchStack): Promise<GoalResult[]> {
  const started = [stack.api.readyMs, stack.worker.readyMs];
  const value = spreadOf(started.map((ms) => Math.max(ms, 0)));
  const slowest = { ...value, median: value.max };
  const [api, worker] = [await stack.api.rssMb(), await stack.worker.rssMb()];
  return [
    {
      id: 'start',
      title: 'Start of API and worker to ready',
      figure: 'ms, the slower of the two',
      value: slowest,
      goal,
      met: meets(slowest, goal),
      arms: { API: `${stack.api.readyMs.toFixed(0)} ms`, worker: `${stack.worker.readyMs.toFixed(0)} ms` },
      notes: [],
    },
    {
      id: 'memory',
      title: 'Resident memory after all cases',
      figure: 'MB, API and worker together',
      value: spreadOf([api + worker]),
      goal: null,
      met: true,
      arms: { API: `${api.toFixed(0)} MB`, worker: `${worker.toFixed(0)} MB` },
      notes: [],
    },
  ];
}
