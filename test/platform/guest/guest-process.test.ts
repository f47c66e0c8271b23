import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { guestCores, guestCoresIn } from '../../../src/platform/guest/guest-cores.ts';
import { startGuest } from '../../../src/platform/guest/guest-process.ts';
import type { Guest, GuestEndedError } from '../../../src/platform/guest/guest-process.ts';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { eventually } from '../../support/eventually.ts';

const log = createLogger({ level: 'silent', name: 'test' });
const entry = new URL('./fixtures/strange-guest.ts', import.meta.url);
const bounds = { maxRssMb: 300, cpuSeconds: 60, niceness: 0 };
const deadlineMs = 30_000;

async function withGuest<Result>(work: (guest: Guest) => Promise<Result>, changes: Partial<typeof bounds> = {}): Promise<Result> {
  const guest = await startGuest(entry, { ...bounds, ...changes }, log);
  try {
    return await work(guest);
  } finally {
    guest.close();
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('T-21: the process of a guest', () => {
  it('answers job after job, and has neither our environment nor our options', async () => {
    await withGuest(async (guest) => {
      const found = (await guest.ask('environment', { deadlineMs })) as { environment: string[]; options: string[] };
      // What the kernel's loader and Node itself put there.
      expect(found.environment.filter((name) => !['PWD', 'SHLVL', '_', 'NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE', '__CF_USER_TEXT_ENCODING', 'OLDPWD'].includes(name))).toEqual([]);
      expect(found.options).toContain('--max-old-space-size=128');
      expect(found.options).not.toContain('--experimental-vm-modules');
      expect(await guest.ask('again', { deadlineMs })).toEqual({ job: 'again' });
      expect(guest.cpuSeconds()).toBeGreaterThan(0);
    });
  });

  it.each([
    ['loop', 'cpu', { deadlineMs }, { cpuSeconds: 1 }],
    ['heap', 'crashed', { deadlineMs }, {}],
    ...(process.platform === 'linux'
      ? ([
          ['buffers', 'memory', { deadlineMs }, {}],
          ['loop', 'deadline', { deadlineMs, cpuMs: 300 }, {}],
        ] as const)
      : []),
    ['throw', 'crashed', { deadlineMs }, {}],
    ['exit', 'crashed', { deadlineMs }, {}],
  ] as const)('ends of its own: %s by %s', async (job, end, options, changes) => {
    await withGuest(async (guest) => {
      await expect(guest.ask(job, options)).rejects.toMatchObject({ end, isOfGuest: true });
      expect(guest.isAlive()).toBe(false);
      await expect(guest.ask('again', { deadlineMs })).rejects.toMatchObject({ end });
    }, changes);
  });

  it('is killed at the deadline, and to blame for it unless it had no core to run on', async () => {
    await withGuest(async (guest) => {
      const failure = await guest.ask('loop', { deadlineMs: 500 }).catch((error: unknown) => error);
      expect(failure).toMatchObject({ end: expect.stringMatching(/^(deadline|stalled)$/) });
      expect((failure as GuestEndedError).isOfGuest).toBe((failure as GuestEndedError).end === 'deadline');
    });
  });

  // Where there is /proc, which tells how long a process has waited for a core.
  (process.platform === 'linux' ? it : it.skip)('finishes on a machine that leaves it few cores, where the deadline is put off', async () => {
    const guests = await Promise.all([1, 2].map(() => startGuest(entry, { ...bounds, niceness: 10 }, log)));
    const hogs = Array.from({ length: availableParallelism() }, () => spawn(process.execPath, ['-e', 'for (;;);'], { detached: true, stdio: 'ignore' }));
    try {
      const [hasty, patient] = await Promise.all([
        guests[0]?.ask('work', { deadlineMs: 400 }).catch((error: unknown) => error),
        guests[1]?.ask('work', { deadlineMs: 400, busyDeadlineMs: 120_000 }),
      ]);
      expect(hasty).toMatchObject({ end: 'stalled', isOfGuest: false });
      expect(patient).toEqual({ job: 'work' });
    } finally {
      for (const hog of hogs) hog.kill('SIGKILL');
      for (const guest of guests) guest.close();
    }
  });

  it.each([
    ['0-1', '1'],
    ['0-3', '2,3'],
    ['0,2-4,9', '4,9'],
    ['5', null],
    ['0-2', '2'],
  ])('leaves half of the cores %s to everything else', (ours, guests) => {
    expect(guestCoresIn(`Name:\tnode\nCpus_allowed:\t3\nCpus_allowed_list:\t${ours}\nMems_allowed:\t1\n`)).toBe(guests);
  });

  (guestCores() === null || spawnSync('taskset', ['-V']).status !== 0 ? it.skip : it)('runs on those cores only', async () => {
    await withGuest(async (guest) => {
      const { pid } = (await guest.ask('environment', { deadlineMs })) as { pid: number };
      expect(spawnSync('taskset', ['-cp', String(pid)], { encoding: 'utf8' }).stdout).toContain(`: ${guestCores()}\n`);
    });
  });

  it('is not to blame for a kill that was not ours, for a cancellation, and for what never started', async () => {
    await withGuest(async (guest) => {
      const { pid } = (await guest.ask('environment', { deadlineMs })) as { pid: number };
      const asked = guest.ask('loop', { deadlineMs });
      process.kill(pid, 'SIGKILL');
      await expect(asked).rejects.toMatchObject({ end: 'killed', isOfGuest: false });
    });
    await withGuest(async (guest) => {
      const cancelled = new Error('cancelled');
      const asked = guest.ask('loop', { deadlineMs, signal: AbortSignal.any([AbortSignal.timeout(100)]) });
      await expect(asked).rejects.toMatchObject({ name: 'TimeoutError' });
      await expect(guest.ask('again', { deadlineMs, signal: AbortSignal.abort(cancelled) })).rejects.toBe(cancelled);
    });
    const missing = startGuest(new URL('./fixtures/no-such-guest.ts', import.meta.url), bounds, log);
    await expect(missing).rejects.toMatchObject({ end: 'not-started', isOfGuest: false });
  });

  it('does not outlive the process that has started it, even while it loops', async () => {
    const host = spawn(process.execPath, [fileURLToPath(new URL('./fixtures/host.ts', import.meta.url))], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = (await once(host.stdout, 'data')) as [Buffer];
    const pid = Number(said.toString());
    host.kill('SIGKILL');
    await once(host, 'exit');
    expect(isRunning(pid)).toBe(true);
    await eventually(async () => isRunning(pid), (running) => !running, 30_000);
  });
});
