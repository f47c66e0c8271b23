import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { clientDriver, clients, keepCpf } from '../../support/drivers/client-record.ts';

let app: TestApi;
let drive: ReturnType<typeof clientDriver>;

beforeAll(async () => {
  app = await startTestApi();
  await keepCpf(app);
  drive = clientDriver(app, await app.signIn('role-super-admin'));
});

afterAll(() => app.close());

const fields = ['name', 'email', 'phone_number'] as const;
type Field = (typeof fields)[number];
type Values = Record<Field, string | null>;

/** A client as the model has it. */
interface Known {
  values: Values;
  deleted: boolean;
  into: number | null;
}

interface Merge {
  id: string;
  keep: number;
  gone: number;
  taken: Field[];
  former: Partial<Values>;
  /** Records that had been merged into the one that is gone. */
  moved: number[];
  undone: boolean;
  /** Everything as it was before, to see that nothing is missing after it was undone with nothing else between. */
  before: string;
}

/** What the records are after a sequence of steps, by the rules of the requirement and not by the code. */
class Model {
  records: Known[] = [];
  merges: Merge[] = [];

  snapshot = () => JSON.stringify(this.records);

  canMerge = (keep: number, gone: number) => keep !== gone && !this.at(keep).deleted && !this.at(gone).deleted;

  at(place: number): Known {
    return this.records[place]!;
  }

  merge(id: string, keep: number, gone: number, wanted: readonly Field[]): void {
    const before = this.snapshot();
    const [mine, theirs] = [this.at(keep), this.at(gone)];
    const taken = fields.filter((field) => theirs.values[field] !== null && theirs.values[field] !== mine.values[field] && (mine.values[field] === null || wanted.includes(field)));
    const former = Object.fromEntries(taken.map((field) => [field, mine.values[field]]));
    for (const field of taken) mine.values[field] = theirs.values[field];
    const moved = this.records.flatMap(({ into }, place) => (into === gone ? [place] : []));
    for (const place of moved) this.at(place).into = keep;
    Object.assign(theirs, { deleted: true, into: keep });
    this.merges.push({ id, keep, gone, taken, former, moved, undone: false, before });
  }

  /** The merge that has to be undone before another one. */
  blocker(merge: Merge): Merge | undefined {
    const place = this.merges.indexOf(merge);
    return this.merges.find((later, at) => !later.undone && later !== merge && (later.gone === merge.keep || (at > place && later.keep === merge.keep)));
  }

  undo(merge: Merge): void {
    const [mine, theirs] = [this.at(merge.keep), this.at(merge.gone)];
    for (const field of merge.taken) if (mine.values[field] === theirs.values[field]) mine.values[field] = merge.former[field] ?? null;
    Object.assign(theirs, { deleted: false, into: null });
    for (const place of merge.moved) if (this.at(place).into === merge.keep) this.at(place).into = merge.gone;
    merge.undone = true;
  }
}

type Step =
  | { do: 'merge'; keep: number; gone: number; take: Field[] }
  | { do: 'undo'; merge: number }
  | { do: 'update'; of: number; field: Field; to: string | null }
  | { do: 'delete' | 'restore'; of: number };

const count = 5;
const place = fc.nat({ max: count - 1 });
/** Few values, so that records meet in them. */
const some: Record<Field, fc.Arbitrary<string | null>> = {
  name: fc.constantFrom('Ana Um', 'Ana Dois', 'Ana Três'),
  email: fc.constantFrom(null, 'a@people.example', 'b@people.example'),
  phone_number: fc.constantFrom(null, '+5511900000001', '+5511900000002'),
};
const update = fc.constantFrom(...fields).chain((field) => fc.record({ do: fc.constant('update' as const), of: place, field: fc.constant(field), to: some[field] }));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('merge' as const), keep: place, gone: place, take: fc.uniqueArray(fc.constantFrom(...fields)) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('undo' as const), merge: fc.nat({ max: 7 }) }) },
  { weight: 2, arbitrary: update },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('delete' as const, 'restore' as const), of: place }) },
);

/** Records of the product and the model, side by side. */
class Trial {
  readonly model = new Model();
  readonly ids: string[] = [];
  /** Merges after whose beginning something else has happened than merges and undoes of the latest, so that undoing need not restore all. */
  readonly touched = new Set<Merge>();

  async create(values: Values): Promise<void> {
    const { id } = await drive.created(values);
    this.ids.push(id);
    this.model.records.push({ values: { ...values }, deleted: false, into: null });
  }

  async run(one: Step): Promise<void> {
    switch (one.do) {
      case 'merge':
        return this.merge(one.keep, one.gone, one.take);
      case 'undo':
        return this.undo(one.merge);
      case 'update':
        return this.update(one.of, one.field, one.to);
      case 'delete':
      case 'restore':
        return this.mark(one.of, one.do);
    }
  }

  async merge(keep: number, gone: number, take: readonly Field[]): Promise<void> {
    const takeable = take.filter((field) => this.model.at(gone).values[field] !== null);
    const answer = await drive.merge(this.ids[keep]!, this.ids[gone]!, { take: takeable });
    expect(answer.status === 200).toBe(this.model.canMerge(keep, gone));
    if (answer.status === 200) this.model.merge(answer.body.merge.id, keep, gone, takeable);
  }

  async undo(number: number): Promise<void> {
    const merge = this.model.merges[number % Math.max(this.model.merges.length, 1)];
    if (merge === undefined) return;
    const answer = await drive.undo(merge.id);
    const blocker = this.model.blocker(merge);
    const expected = merge.undone ? 'client.merge-not-undoable' : blocker === undefined ? undefined : 'client.merge-followed';
    expect([answer.status, answer.body.code]).toEqual(expected === undefined ? [200, undefined] : [409, expected]);
    if (expected !== undefined) return;
    const wasLatest = this.model.merges.findLast(({ undone }) => !undone) === merge;
    this.model.undo(merge);
    if (wasLatest && !this.touched.has(merge)) expect(this.model.snapshot()).toBe(merge.before);
    for (const other of this.model.merges) if (!wasLatest) this.touched.add(other);
  }

  async update(of: number, field: Field, to: string | null): Promise<void> {
    const { version } = await drive.shown(this.ids[of]!);
    const answer = await drive.call('PUT', `${clients}/${this.ids[of]}`, { [field]: to }, { 'if-match': `"${version}"` });
    expect(answer.status).toBe(this.model.at(of).deleted ? 404 : 200);
    if (answer.status === 200) this.model.at(of).values[field] = to;
    for (const merge of this.model.merges) this.touched.add(merge);
  }

  async mark(of: number, what: 'delete' | 'restore'): Promise<void> {
    const { version } = await drive.shown(this.ids[of]!);
    const [method, path, isDeleted] = what === 'delete' ? ['DELETE', '', true] : ['POST', '/restore', false];
    const answer = await drive.call(method, `${clients}/${this.ids[of]}${path}`, undefined, { 'if-match': `"${version}"` });
    const record = this.model.at(of);
    const isAllowed = isDeleted ? !record.deleted : record.deleted && record.into === null;
    expect(answer.status < 300).toBe(isAllowed);
    if (isAllowed) record.deleted = isDeleted;
    for (const merge of this.model.merges) this.touched.add(merge);
  }

  /** The product is what the model is, and each record leads at once to one that is not merged itself. */
  async compare(): Promise<void> {
    const shown = await Promise.all(this.ids.map((id) => drive.shown(id)));
    const seen = shown.map((record) => ({
      values: Object.fromEntries(fields.map((field) => [field, record[field]])),
      deleted: !record.is_active,
      into: record.merged_into_id === null ? null : this.ids.indexOf(record.merged_into_id),
    }));
    expect(seen).toEqual(this.model.records);
    for (const { into } of seen) if (into !== null) expect(seen[into]?.into).toBeNull();
  }
}

describe('X-10: merges, undoes, changes, deletions and restores in any order', () => {
  it('leave what the rules say, without circles, and undoing restores all of it where nothing else has changed', async () => {
    const start = fc.array(fc.record(some), { minLength: count, maxLength: count });
    await fc.assert(
      fc.asyncProperty(start, fc.array(step, { minLength: 4, maxLength: 14 }), async (records, steps) => {
        const trial = new Trial();
        for (const values of records) await trial.create(values);
        for (const one of steps) await trial.run(one);
        await trial.compare();
      }),
      { numRuns: 40 },
    );
  }, 300_000);
});
