import type { GuestMessage, HostMessage } from './guest-protocol.ts';

/**
 * Makes this process that of a guest: it does one job after another for the process that has started it, and ends with it.
 * What a job throws ends the process, so jobs answer with faults that are expected.
 *
 * @param work gets what the host has asked; its answer goes back as JSON.
 */
export function answerHost(work: (job: unknown) => Promise<unknown>): void {
  const send = (message: GuestMessage) => process.send?.(message);
  process.on('message', (message) => {
    void work((message as HostMessage).job).then((answer) => {
      const { user, system } = process.cpuUsage();
      send({ kind: 'answer', answer, cpuSeconds: (user + system) / 1_000_000 });
    });
  });
  // A job that loops does not hear it; the CPU limit ends that one.
  process.on('disconnect', () => process.exit(0));
  send({ kind: 'ready' });
}
