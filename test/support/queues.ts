import type { AppQueue, BullmqApplication } from './servers/bullmq.ts';
import { eventually } from './eventually.ts';

/** Adds jobs and lets a real worker fail every one of them with its own reason. @returns their ids. */
export async function failJobs(company: BullmqApplication, queue: AppQueue, reasons: readonly string[]): Promise<string[]> {
  const jobs = await queue.addBulk(
    reasons.map((reason) => ({ name: 'mail', data: { reason, api_key: 'sk_live_abcdefghijklmnop' } })),
  );
  const failing = company.worker(queue.name, async (job) => {
    throw new TypeError((job.data as { reason: string }).reason);
  });
  const ids = jobs.map(({ id }) => id ?? '');
  const states = () => Promise.all(ids.map(async (id) => (await queue.getJob(id))?.getState()));
  await eventually(states, (all) => all.every((state) => state === 'failed'));
  await failing.close();
  return ids;
}
