import { samplePassword } from '../../src/dev/sample-data.ts';
import { createPasswordHasher } from '../../src/platform/security/password.ts';
import { sliceOf } from '../harness.ts';

/** Verifies one password again and again, as many at once as there are cores, and does nothing else. */
process.on('message', ({ durationMs, concurrency }: { durationMs: number; concurrency: number }) => {
  void run(durationMs, concurrency).then((slice) => process.send?.(slice));
});

async function run(durationMs: number, concurrency: number) {
  const hasher = createPasswordHasher({ concurrency, queueLimit: concurrency });
  const stored = await hasher.hash(samplePassword);
  const latencies: number[] = [];
  const started = performance.now();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() - started < durationMs) {
        const from = performance.now();
        await hasher.verify(stored, samplePassword);
        latencies.push(performance.now() - from);
      }
    }),
  );
  return sliceOf(latencies, performance.now() - started);
}
