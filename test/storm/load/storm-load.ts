import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../random.ts';
import { outcomeOf } from './command.ts';
import type { Attempt, CommandRecord, Manner, Operation } from './command.ts';
import { operations } from './operations.ts';
import { send } from './sender.ts';
import type { Proof } from './sender.ts';
import { newKey } from './world.ts';
import type { World } from './world.ts';

const manners: readonly { manner: Manner; weight: number }[] = [
  { manner: 'once', weight: 4 },
  { manner: 'again', weight: 2 },
  { manner: 'other process', weight: 2 },
  { manner: 'at once', weight: 2 },
];
/** How long a caller goes on asking for the outcome before it does something else; the rest is asked at the end. */
const patienceMs = 15_000;
/** How long the outcome of one command is asked for, once it is its turn. */
const settleTimeoutMs = 120_000;
/** A caller who gets "nothing was changed" leaves it at that as often as not: then nothing may ever come of it. */
const givesUp = 0.5;

/** The callers, and what each of them has sent. */
export class StormLoad {
  readonly world: World;
  readonly records: CommandRecord[] = [];
  readonly #random: Random;
  readonly #log: (line: object) => void;
  #isEnding = false;

  /** @param log gets one line for each request that has ended */
  constructor(world: World, random: Random, log: (line: object) => void) {
    this.world = world;
    this.#random = random;
    this.#log = log;
  }

  /** Lets callers work until {@link end}; resolves when all have come to an end. */
  async run(callers: number, thinkMs: number): Promise<void> {
    const one = async (random: Random) => {
      while (!this.#isEnding) {
        await this.command(random);
        await sleep(random.between(0, 2 * thinkMs));
      }
    };
    await Promise.all(Array.from({ length: callers }, (_, index) => one(this.#random.stream(`caller ${index}`))));
  }

  end(): void {
    this.#isEnding = true;
  }

  /** One command from its plan to its outcome; none when there is nothing to do it to. */
  async command(random: Random, operation: Operation = random.weighted(operations)): Promise<CommandRecord | null> {
    const tenant = random.pick(this.world.tenants);
    const planned = await operation.plan(tenant, random);
    if (planned === null) return null;
    const { manner } = random.weighted(manners);
    const record: CommandRecord = { operation, tenant, planned, manner, key: newKey(), request_id: newKey(), attempts: [] };
    this.records.push(record);
    await this.#carryOut(record, random);
    const success = record.attempts.find(({ verdict }) => verdict === 'done');
    if (success !== undefined) operation.learn?.(tenant, planned, success.essence?.body);
    return record;
  }

  async #carryOut(record: CommandRecord, random: Random): Promise<void> {
    const { urls } = this.world.target;
    const proof: Proof = { token: null };
    const [first, other] = random.chance(0.5) ? urls : [urls[1], urls[0]];
    const deadline = Date.now() + patienceMs;
    if (record.manner === 'at once') {
      await this.#atOnce(record, [first, other, first], proof);
    } else {
      await this.#send(record, first, proof);
    }
    while (this.#asksOn(record, random) && Date.now() < deadline) {
      await sleep(random.between(100, 1_500));
      await this.#send(record, random.pick(urls), proof);
    }
    if (outcomeOf(record) !== 'done') return;
    if (record.manner === 'again') await this.#send(record, first, proof);
    if (record.manner === 'other process') await this.#send(record, other, proof);
  }

  /** Where a proof is needed, each of them may come with its own. */
  async #atOnce(record: CommandRecord, urls: readonly string[], proof: Proof): Promise<Attempt[]> {
    return Promise.all(urls.map((url) => this.#send(record, url, proof)));
  }

  async #send(record: CommandRecord, url: string, proof: Proof): Promise<Attempt> {
    const attempt = await send(this.world, record, url, proof);
    const { operation, tenant, planned, key, request_id } = record;
    this.#log({ operation: operation.name, tenant: tenant.id, key, request_id, marker: planned.marker, path: planned.path, ...attempt });
    return attempt;
  }

  #asksOn(record: CommandRecord, random: Random): boolean {
    const outcome = outcomeOf(record);
    const last = record.attempts.at(-1);
    if (outcome === 'unknown') return true;
    return outcome === 'not done' && last?.verdict === 'nothing' && !random.chance(givesUp);
  }

  /**
   * Asks for every outcome that is not known yet, when all parts are back.
   *
   * @returns how many there were
   */
  async settle(random: Random): Promise<number> {
    // A refusal counts only when no request is left that may still have been on its way.
    const isOpen = (record: CommandRecord) =>
      outcomeOf(record) !== 'done' && record.attempts.some(({ verdict }) => verdict === 'unknown' || verdict === 'in progress' || verdict === 'broken');
    const open = this.records.filter(isOpen);
    await eachOf(open, async (record) => {
      const deadline = Date.now() + settleTimeoutMs;
      const proof: Proof = { token: null };
      do {
        const { verdict } = await this.#send(record, random.pick(this.world.target.urls), proof);
        if (verdict === 'done' || verdict === 'refused') return;
        await sleep(500);
      } while (Date.now() < deadline);
    });
    return open.length;
  }

  /** Sends each command that was done once more, to a process drawn at random. */
  async repeatAll(random: Random, most: number): Promise<number> {
    const done = this.records.filter((record) => outcomeOf(record) === 'done');
    const some = done.length <= most ? done : done.filter(() => random.chance(most / done.length));
    await eachOf(some, async (record) => {
      await this.#send(record, random.pick(this.world.target.urls), { token: null });
    });
    return some.length;
  }
}

/** A few at a time. */
async function eachOf<One>(list: readonly One[], work: (one: One) => Promise<void>): Promise<void> {
  const left = [...list];
  const next = async () => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) await work(one);
  };
  await Promise.all(Array.from({ length: 6 }, next));
}
