import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { samplePassword, samplePeople } from '../../src/dev/sample-data.ts';
import { figuresOf, interleave, meets, noiseNotes, quantile, ratioOf } from '../harness.ts';
import type { GoalResult, Plan, Slice } from '../harness.ts';
import type { BenchStack } from '../stack.ts';

const goal = { at: 'least', limit: 0.9 } as const;
const connections = 8;
const probeEveryMs = 100;

/** Sign-ins a second, to argon2id alone on all cores; `/health/ready` is polled meanwhile. */
export async function benchSignIn(stack: BenchStack, plan: Plan): Promise<GoalResult[]> {
  const hasher = fork(fileURLToPath(new URL('../arms/argon2-alone.ts', import.meta.url)), { stdio: 'inherit' });
  const readyMs: number[] = [];
  let unready = 0;
  const slices = await interleave(
    [
      {
        name: 'sign-in',
        slice: async (durationMs) => {
          const probing = new AbortController();
          const probes = probe(stack.api.url, probing.signal, (ok, ms) => {
            readyMs.push(ms);
            if (!ok) unready += 1;
          });
          const slice = await stack.load.run({
            url: `${stack.api.url}/auth/login`,
            method: 'POST',
            connections,
            durationMs,
            expectedStatus: 200,
            requests: samplePeople.map(({ email }) => ({ body: { email, password: samplePassword } })),
          });
          probing.abort();
          await probes;
          return slice;
        },
      },
      {
        name: 'argon2id alone',
        slice: (durationMs) =>
          new Promise<Slice>((resolve) => {
            hasher.once('message', (slice: Slice) => resolve(slice));
            hasher.send({ durationMs, concurrency: availableParallelism() });
          }),
      },
    ],
    plan,
  );
  hasher.kill();
  const value = ratioOf(slices, 'sign-in', 'argon2id alone');
  const sorted = readyMs.toSorted((a, b) => a - b);
  const health =
    `/health/ready meanwhile: ${sorted.length} asked, ${unready} not ready, p50 ${quantile(sorted, 0.5).toFixed(1)} ms, ` +
    `p99 ${quantile(sorted, 0.99).toFixed(1)} ms`;
  return [
    {
      id: 'sign-in',
      title: `Sign-in, ${connections} connections`,
      figure: 'throughput, sign-in / argon2id alone on all cores',
      value,
      goal,
      met: meets(value, goal) && unready === 0,
      arms: figuresOf(slices),
      notes: [health, ...noiseNotes(slices, 'argon2id alone')],
    },
  ];
}

async function probe(url: string, signal: AbortSignal, report: (ok: boolean, ms: number) => void): Promise<void> {
  while (!signal.aborted) {
    const started = performance.now();
    const ok = await fetch(`${url}/health/ready`).then(
      async (response) => {
        await response.arrayBuffer();
        return response.ok;
      },
      () => false,
    );
    report(ok, performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, probeEveryMs));
  }
}
