import type { Plan } from '../harness.ts';
import { figuresOf, interleave, meets, noiseNotes, ratioOf } from '../harness.ts';
import type { Arm, GoalResult } from '../harness.ts';
import { startBareServer } from './bare.ts';
import type { BenchStack } from '../stack.ts';

const connections = 8;

/** A write with its chained audit entry, through the whole application, to the bare transaction with a plain insert. */
export async function benchWrite(stack: BenchStack, plan: Plan): Promise<GoalResult[]> {
  const bare = await startBareServer(stack);
  const spread = await compare('8 tenants', stack.people);
  const single = await compare('1 tenant', stack.people.slice(0, 1));
  await bare.stop();
  return [
    { ...spread, id: 'write', goal: { at: 'least', limit: 0.6 }, met: meets(spread.value, { at: 'least', limit: 0.6 }) },
    { ...single, id: 'write-one-tenant', goal: null, met: true },
  ];

  async function compare(where: string, people: BenchStack['people']): Promise<Omit<GoalResult, 'id' | 'goal' | 'met'>> {
    const body = { theme: 'dark' };
    const arms: Arm[] = [
      {
        name: 'Castellan',
        slice: (durationMs) =>
          stack.load.run({
            url: `${stack.api.url}/users/me/preferences`,
            method: 'PUT',
            connections,
            durationMs,
            expectedStatus: 200,
            requests: people.map(({ token }) => ({ headers: { authorization: `Bearer ${token}` }, body })),
          }),
      },
      {
        name: 'bare transaction',
        slice: (durationMs) =>
          stack.load.run({
            url: `${bare.url}/preferences`,
            method: 'PUT',
            connections,
            durationMs,
            expectedStatus: 200,
            requests: people.map(({ tenant_id, user_id }) => ({ headers: { 'x-tenant': tenant_id, 'x-user': user_id }, body })),
          }),
      },
    ];
    const slices = await interleave(arms, plan);
    return {
      title: `Write with chained audit, ${connections} connections over ${where}`,
      figure: 'throughput, Castellan / bare node:http + pg with plain audit insert',
      value: ratioOf(slices, 'Castellan', 'bare transaction'),
      arms: figuresOf(slices),
      notes: noiseNotes(slices, 'bare transaction'),
    };
  }
}
