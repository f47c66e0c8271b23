import { readFile } from 'node:fs/promises';
import type { GoalResult, Plan } from './harness.ts';

/** A result with when and where it was measured. */
export interface Measured extends GoalResult {
  readonly at: string;
  readonly plan: Plan;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memory_gb: number;
    readonly platform: string;
    readonly node: string;
    /** Average number of waiting processes before the bench began; beyond the cores, others were at work. Null: not noted. */
    readonly load_before: number | null;
  };
}

export const resultsFolder = new URL('./results/', import.meta.url);

/** The newest result of each case; committed. */
export const latestFile = new URL('latest.json', resultsFolder);

/** The committed results; none when there is no file yet. */
export async function readLatest(): Promise<Measured[]> {
  const text = await readFile(latestFile, 'utf8').catch(() => '{"results":[]}');
  return (JSON.parse(text) as { results: Measured[] }).results;
}
