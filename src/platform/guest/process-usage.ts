import { readFile } from 'node:fs/promises';

/** What a process has used so far. */
export interface ProcessUsage {
  readonly rssKilobytes: number;
  /** Of all its threads, in steps of ten. */
  readonly cpuMs: number;
  /** True while it runs or could. */
  readonly isRunnable: boolean;
  /** How long its first thread has run; 0 where the kernel does not tell. */
  readonly ranMs: number;
  /** How long that was ready to run and had no core, without a wait that goes on; 0 where the kernel does not tell. */
  readonly waitedMs: number;
}

/** Reads `/proc`; null when the process has ended. */
export async function usageOf(pid: number): Promise<ProcessUsage | null> {
  const fileOf = (name: string) => readFile(`/proc/${pid}/${name}`, 'latin1');
  try {
    const [status, stat, scheduled] = await Promise.all([fileOf('status'), fileOf('stat'), fileOf('schedstat').catch(() => '0 0 0')]);
    // Behind the name, which may hold anything, stand the state and the numbers; user and system time are in hundredths.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [ranNs, waitedNs] = scheduled.split(' ').map(Number);
    return {
      rssKilobytes: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0),
      cpuMs: (Number(fields[11]) + Number(fields[12])) * 10,
      isRunnable: fields[0] === 'R',
      ranMs: (ranNs ?? 0) / 1e6,
      waitedMs: (waitedNs ?? 0) / 1e6,
    };
  } catch {
    return null;
  }
}
