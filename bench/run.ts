import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { benchApproval } from './cases/approval.ts';
import { benchAssignment } from './cases/assignment.ts';
import { benchAuditAppend } from './cases/audit-append.ts';
import { benchAuditVerify } from './cases/audit-verify.ts';
import { benchConfigRead } from './cases/config-read.ts';
import { benchControlPlane } from './cases/control-plane.ts';
import { benchFootprint } from './cases/footprint.ts';
import { benchGuests } from './cases/guests.ts';
import { benchListRead } from './cases/list-read.ts';
import { benchIsolation } from './cases/isolation.ts';
import { benchModulePermission } from './cases/module-permission.ts';
import { benchOnboarding } from './cases/onboarding.ts';
import { benchSignIn } from './cases/sign-in.ts';
import { benchTracker } from './cases/tracker.ts';
import { benchWrite } from './cases/write.ts';
import type { GoalResult, Plan } from './harness.ts';
import { latestFile, readLatest, resultsFolder } from './results.ts';
import type { Measured } from './results.ts';
import { startBenchStack } from './stack.ts';
import type { BenchStack } from './stack.ts';

/**
 * `npm run bench [-- case…]`: starts its own servers, measures, writes `bench/results/<time>.json`, brings
 * `latest.json` up to date, and exits with 1 where a goal is missed.
 */
const cases: Record<string, (stack: BenchStack, plan: Plan) => Promise<GoalResult[]>> = {
  'list-read': benchListRead,
  write: benchWrite,
  approval: benchApproval,
  guests: benchGuests,
  'audit-append': benchAuditAppend,
  assignment: benchAssignment,
  onboarding: benchOnboarding,
  isolation: benchIsolation,
  'sign-in': benchSignIn,
  'config-read': benchConfigRead,
  'control-plane': benchControlPlane,
  footprint: benchFootprint,
  'audit-verify': benchAuditVerify,
  tracker: benchTracker,
  'module-permission': benchModulePermission,
};

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    'slice-ms': { type: 'string', default: '2000' },
    'warmup-ms': { type: 'string', default: '2000' },
  },
});
const plan: Plan = {
  rounds: Number(options.rounds),
  sliceMs: Number(options['slice-ms']),
  warmupMs: Number(options['warmup-ms']),
};

/** The load average before the bench began: other work on the machine. */
const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  memory_gb: Math.round(totalmem() / 1024 ** 3),
  platform: `${process.platform} ${process.arch}`,
  node: process.version,
  load_before: Math.round((loadavg()[0] ?? 0) * 10) / 10,
};

async function main(): Promise<void> {
  const chosen = positionals.length === 0 ? Object.keys(cases) : positionals;
  const unknown = chosen.filter((name) => !Object.hasOwn(cases, name));
  if (unknown.length > 0) throw new Error(`No such case: ${unknown.join(', ')}. There are ${Object.keys(cases).join(', ')}.`);
  const say = (line: string) => process.stderr.write(`bench: ${line}\n`);
  const stack = await startBenchStack(say);
  const results: GoalResult[] = [];
  try {
    for (const name of chosen) {
      say(name);
      results.push(...((await cases[name]?.(stack, plan)) ?? []));
    }
  } finally {
    await stack.stop();
  }
  process.stdout.write(`${results.map(lineOf).join('\n')}\n`);
  await writeResults(results);
  if (results.some(({ met }) => !met)) process.exitCode = 1;
}

function lineOf({ title, figure, value, goal, met, arms, notes }: GoalResult): string {
  const number = (n: number) => (n >= 100 ? n.toFixed(0) : n.toFixed(2));
  const limit = goal === null ? 'no goal' : `goal at ${goal.at} ${goal.limit}: ${met ? 'met' : 'MISSED'}`;
  return [
    `${title}: ${number(value.median)} (${number(value.min)}–${number(value.max)}), ${limit}`,
    `    ${figure}`,
    ...Object.entries(arms).map(([name, text]) => `    ${name}: ${text}`),
    ...notes.map((note) => `    ${note}`),
  ].join('\n');
}

/** A result with when, where and on how busy a machine it was measured. */
async function writeResults(results: readonly GoalResult[]): Promise<void> {
  const at = new Date().toISOString();
  const measured: Measured[] = results.map((result) => ({ ...result, at, machine, plan }));
  await mkdir(resultsFolder, { recursive: true });
  await writeFile(new URL(`${at.replaceAll(':', '-')}.json`, resultsFolder), textOf(measured));
  // A run of some cases replaces the results of these cases only.
  const kept = (await readLatest()).filter(({ id }) => !results.some((result) => result.id === id));
  await writeFile(latestFile, textOf([...kept, ...measured]));
}

function textOf(measured: readonly Measured[]): string {
  return `${JSON.stringify({ results: measured }, null, 2)}\n`;
}

await main();
