import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { benchApproval } from './cases/approval.ts';
import { benchAuditAppend } from './cases/audit-append.ts';
import { benchAuditVerify } from './cases/audit-verify.ts';
import { benchFootprint } from './cases/footprint.ts';
import { benchListRead } from './cases/list-read.ts';
import { benchSignIn } from './cases/sign-in.ts';
import { benchWrite } from './cases/write.ts';
import type { GoalResult, Plan } from './harness.ts';
import { startBenchStack } from './stack.ts';
import type { BenchStack } from './stack.ts';

/**
 * `npm run bench [-- case…]`: starts its own servers, measures, writes `bench/results/<time>.json` and a copy as
 * `latest.json` when every case ran, and exits with 1 where a goal is missed.
 */
const cases: Record<string, (stack: BenchStack, plan: Plan) => Promise<GoalResult[]>> = {
  'list-read': benchListRead,
  write: benchWrite,
  approval: benchApproval,
  'audit-append': benchAuditAppend,
  'sign-in': benchSignIn,
  footprint: benchFootprint,
  'audit-verify': benchAuditVerify,
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
  await writeResults(results, positionals.length === 0);
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

async function writeResults(results: readonly GoalResult[], isComplete: boolean): Promise<void> {
  const folder = new URL('./results/', import.meta.url);
  const at = new Date().toISOString();
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memory_gb: Math.round(totalmem() / 1024 ** 3),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
  };
  const text = `${JSON.stringify({ at, machine, plan, results }, null, 2)}\n`;
  await mkdir(folder, { recursive: true });
  await writeFile(new URL(`${at.replaceAll(':', '-')}.json`, folder), text);
  if (isComplete) await writeFile(new URL('latest.json', folder), text);
}

await main();
