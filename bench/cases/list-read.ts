import { figuresOf, interleave, meets, noiseNotes, ratioOf } from '../harness.ts';
import type { Arm, GoalResult, Plan } from '../harness.ts';
import { startFastApi } from '../python.ts';
import type { BenchStack } from '../stack.ts';
import { startBareServer } from './bare.ts';

const connections = 8;
const bareGoal = { at: 'least', limit: 0.9 } as const;
const pythonGoal = { at: 'least', limit: 4 } as const;

/** A page of 20 people through the whole application, to the same transaction without the application. */
export async function benchListRead(stack: BenchStack, plan: Plan): Promise<GoalResult[]> {
  const bare = await startBareServer(stack);
  const python = await startFastApi(stack);
  const token = stack.people[0]?.token ?? '';
  const arm = (name: string, url: string): Arm => ({
    name,
    slice: (durationMs) =>
      stack.load.run({
        url,
        method: 'GET',
        connections,
        durationMs,
        expectedStatus: 200,
        requests: [{ headers: { authorization: `Bearer ${token}` } }],
      }),
  });
  const slices = await interleave(
    [
      arm('Castellan', `${stack.api.url}/admin/users?limit=20`),
      arm('bare node:http + pg', `${bare.url}/users`),
      ...('url' in python ? [arm('FastAPI + SQLAlchemy', `${python.url}/users`)] : []),
    ],
    plan,
  );
  await bare.stop();
  if ('url' in python) await python.stop();

  const shared = {
    title: `List read of 20 rows, ${connections} connections`,
    arms: figuresOf(slices),
    notes: noiseNotes(slices, 'bare node:http + pg'),
  };
  const toBare = ratioOf(slices, 'Castellan', 'bare node:http + pg');
  const results: GoalResult[] = [
    {
      ...shared,
      id: 'list-read',
      figure: 'throughput, Castellan / bare node:http + pg (pipelined)',
      value: toBare,
      goal: bareGoal,
      met: meets(toBare, bareGoal),
    },
  ];
  if ('skipped' in python) {
    results.push({
      ...shared,
      id: 'list-read-fastapi',
      figure: 'throughput, Castellan / FastAPI + SQLAlchemy async',
      value: { median: Number.NaN, min: Number.NaN, max: Number.NaN },
      goal: null,
      met: true,
      notes: [`skipped: ${python.skipped}`],
    });
    return results;
  }
  const toPython = ratioOf(slices, 'Castellan', 'FastAPI + SQLAlchemy');
  results.push({
    ...shared,
    id: 'list-read-fastapi',
    figure: 'throughput, Castellan / FastAPI + SQLAlchemy async (one process each)',
    value: toPython,
    goal: pythonGoal,
    met: meets(toPython, pythonGoal),
  });
  return results;
}
