import { randomInt } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { checkAll } from './checks/all-checks.ts';
import { StormLoad } from './load/storm-load.ts';
import { World } from './load/world.ts';
import { Random } from './random.ts';
import { reportOf, violated } from './report.ts';
import { settled, unopenedMs } from './settle.ts';
import { makeFaults, planFaults } from './stack/faults.ts';
import { startStormStack } from './stack/storm-stack.ts';
import type { StormStack } from './stack/storm-stack.ts';
import { Uptime } from './stack/uptime.ts';

const usage = `npm run storm -- [--minutes 10] [--seed N] [--callers 10]

Starts an installation of its own, lays a mixed load on it, kills its parts at random, lets it settle and checks seven
promises. Exit code: 0 all hold, 1 one does not, 2 it could not run.`;

/** Mean pause of a caller between two commands. */
const thinkMs = 250;
const repeatedAtEnd = 1_500;

interface StormOrder {
  readonly minutes: number;
  readonly seed: string;
  readonly callers: number;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function orderOf(args: readonly string[]): StormOrder {
  const { values } = parseArgs({
    args: [...args],
    options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' }, callers: { type: 'string', default: '10' } },
  });
  const [minutes, callers] = [Number(values.minutes), Number(values.callers)];
  if (!(minutes > 0) || !Number.isInteger(callers) || callers < 1) throw new Error(usage);
  return { minutes, callers, seed: values.seed ?? String(randomInt(1_000_000)) };
}

/** Lays the load and the faults over the installation, and checks what has become of it. @returns whether all holds */
async function storm(stack: StormStack, order: StormOrder, tell: (line: string) => void): Promise<boolean> {
  const random = new Random(order.seed);
  const file = (name: string) => join(stack.folder, name);
  const world = await World.make(stack.target);
  const uptime = new Uptime();
  uptime.start(stack.workerUrls);
  const load = new StormLoad(world, random.stream('load'), (line) => appendFileSync(file('requests.jsonl'), `${JSON.stringify(line)}\n`));
  try {
    const lengthMs = order.minutes * 60_000;
    const plan = planFaults(random.stream('faults'), lengthMs);
    tell(`the storm begins: ${order.minutes} minutes, ${plan.length} faults, ${order.callers} callers, seed ${order.seed}`);
    const callers = load.run(order.callers, thinkMs);
    const faults = makeFaults(plan, { parts: stack.parts, db: world.db, tell });
    await sleep(lengthMs);
    load.end();
    const [made] = await Promise.all([faults, callers]);
    tell('the storm is over, all parts are back');
    tell(`outcomes that had to be asked for: ${await load.settle(random.stream('settle'))}`);
    tell(`commands that were repeated at the end: ${await load.repeatAll(random.stream('repeat'), repeatedAtEnd)}`);
    tell(`settled; still under way: ${JSON.stringify(await settled(world, unopenedMs))}`);
    await uptime.stop();
    writeFileSync(file('faults.json'), JSON.stringify(made, null, 1));
    writeFileSync(file('uptime.json'), JSON.stringify(uptime.looks));
    return await check(stack, world, load, uptime);
  } finally {
    await uptime.stop();
    await world.close();
  }
}

async function check(stack: StormStack, world: World, load: StormLoad, { looks }: Uptime): Promise<boolean> {
  const { target } = stack;
  const connection = await Connection.connect({ address: target.env.TEMPORAL_ADDRESS });
  try {
    const temporal = new Client({ connection, namespace: target.env.TEMPORAL_NAMESPACE });
    const { tenants, db } = world;
    const readFlags = world.readFlags.bind(world);
    const findings = await checkAll({ target, tenants, db, temporal, looks, records: load.records, readFlags });
    const violations = findings.flatMap((finding) => finding.violations);
    writeFileSync(join(stack.folder, 'violations.jsonl'), violations.map((one) => `${JSON.stringify(one)}\n`).join(''));
    const unasked = [...stack.parts.values()].flatMap(({ name, unasked: reasons }) => reasons.map((reason) => `${name} (${reason})`));
    const approvals = load.records.filter(({ operation }) => operation.isApproval === true).length;
    print(`\n${reportOf(findings)}`);
    print(`\nApprovals are ${((100 * approvals) / load.records.length).toFixed(0)} % of the commands.`);
    print(`Parts that ended by themselves: ${unasked.length === 0 ? 'none' : unasked.join(', ')}.`);
    const broken = violated(findings);
    print(broken.length === 0 ? 'All seven promises hold.' : `VIOLATED: ${broken.join(', ')}.`);
    return broken.length === 0;
  } finally {
    await connection.close();
  }
}

async function main(): Promise<number> {
  const order = orderOf(process.argv.slice(2));
  const timeline = new Timeline();
  const tell = timeline.tell.bind(timeline);
  tell('starting PostgreSQL, Temporal, two APIs and two workers');
  const stack = await startStormStack(tell);
  timeline.keepIn(join(stack.folder, 'timeline.txt'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stack.stop().finally(() => process.exit(2)));
  let holds = false;
  try {
    holds = await storm(stack, order, tell);
  } finally {
    await stack.stop();
    // With nothing to explain, the data of the servers are of no use.
    if (holds) for (const data of ['postgres', 'temporal.db', 'workflow-bundle.js']) await rm(join(stack.folder, data), { recursive: true, force: true });
    print(`Seed ${order.seed}. Log of the callers, timeline and logs of the parts: ${stack.folder}`);
  }
  return holds ? 0 : 1;
}

/** What happens when, for people to read now and later. */
class Timeline {
  readonly #begin = Date.now();
  readonly #lines: string[] = [];
  #file: string | undefined;

  tell(line: string): void {
    const stamped = `${new Date().toISOString()} +${((Date.now() - this.#begin) / 1_000).toFixed(1).padStart(6)} s  ${line}`;
    print(stamped);
    this.#lines.push(stamped);
    if (this.#file !== undefined) appendFileSync(this.#file, `${stamped}\n`);
  }

  /** From now on it is kept in a file, too. */
  keepIn(file: string): void {
    this.#file = file;
    writeFileSync(file, `${this.#lines.join('\n')}\n`);
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(2);
  },
);
