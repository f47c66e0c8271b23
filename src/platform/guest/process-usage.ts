import { readFile } from 'node:fs/promises';

/** What a process has used so far. */
export interface ProcessUsage {
  readonly rssKilobytes: number;
  readonly cpuMs: number;
  /** How long it was ready to run and had no core. */
  readonly waitedMs: number;
}

/** Reads `/proc`; null when the process has ended. */
export async function usageOf(pid: number): Promise<ProcessUsage | null> {
  const fileOf = (name: string) => readFile(`/proc/${pid}/${name}`, 'latin1');
  try {
    const [status, stat, scheduled] = await Promise.all([fileOf('status'), fileOf('stat'), fileOf('schedstat').catch(() => '0 0 0')]);
    // Behind the name, which may hold anything, stand the state and the numbers; user and system time are in hundredths.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      rssKilobytes: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0),
      cpuMs: (Number(fields[11]) + Number(fields[12])) * 10,
      waitedMs: Number(scheduled.split(' ')[1]) / 1e6,
    };
  } catch {
    return null;
  }
}
