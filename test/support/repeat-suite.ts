/**
 * `npm run test:repeat [-- --runs 10 --beside 5]`: the whole suite several times in a row, some of the runs beside four endless
 * loops, so that a test which fails by chance is found (T-53). Each run is printed as it ends; the first that fails ends the row,
 * with exit code 1, and keeps its output. Two cores need about four hours for ten runs.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';

/** What the runs of a load are beside. They end by themselves within two hours, also when nobody is left to end them. */
const busyProcesses = 4;
const busyLoop = 'for (const end = Date.now() + 7_200_000; Date.now() < end; );';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '10' }, beside: { type: 'string', default: '5' } } });
const { runs, beside } = z.object({ runs: z.coerce.number().int().min(1), beside: z.coerce.number().int().min(0) }).parse(values);

const report = z.object({ numPassedTests: z.number(), numFailedTests: z.number(), numFailedTestSuites: z.number() });

/** Runs the suite once. @returns whether it was green, after it has said so. */
async function runSuite(folder: string, run: number, isBeside: boolean): Promise<boolean> {
  const [json, output] = [join(folder, `run-${run}.json`), join(folder, `run-${run}.txt`)];
  const loops = Array.from({ length: isBeside ? busyProcesses : 0 }, () => spawn(process.execPath, ['-e', busyLoop], { stdio: 'ignore' }));
  const startedAt = performance.now();
  const file = await open(output, 'w');
  try {
    const suite = spawn('npm', ['test', '--', '--ci', '--json', `--outputFile=${json}`], { stdio: ['ignore', file.fd, file.fd] });
    const [code] = (await once(suite, 'exit')) as [number | null];
    const counts = report.parse(JSON.parse(await readFile(json, 'utf8')));
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    const where = isBeside ? `beside ${busyProcesses} endless loops` : 'alone';
    process.stdout.write(`run ${run} ${where}: ${counts.numPassedTests} passed, ${counts.numFailedTests} failed in ${seconds} s\n`);
    return code === 0 && counts.numFailedTests === 0 && counts.numFailedTestSuites === 0;
  } finally {
    for (const loop of loops) loop.kill('SIGKILL');
    await file.close();
  }
}

const folder = await mkdtemp(join(tmpdir(), 'castellan-repeat-'));
for (let run = 1; run <= runs; run += 1) {
  if (await runSuite(folder, run, run <= beside)) continue;
  process.stdout.write(`the row ends with run ${run}; its output is in ${folder}\n`);
  process.exitCode = 1;
  break;
}
