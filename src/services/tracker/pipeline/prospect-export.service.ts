import { stringify } from 'csv-stringify/sync';
import type { ProcessDeps } from '../../../platform/process-deps.ts';
import { read } from '../../../platform/database/read.ts';
import { prospectCsvColumns } from './prospect-csv.ts';
import { prospectsQuery } from './prospect.queries.ts';
import type { Person } from '../tracker-profile.queries.ts';

/** Rows that are read at a time. */
const pageRows = 1_000;

/** The prospects of a person as CSV, with a header and page by page. Cells that begin like a formula are guarded. */
export async function* exportProspects({ db }: Pick<ProcessDeps, 'db'>, owner: Person): AsyncGenerator<string> {
  yield stringify([[...prospectCsvColumns]]);
  let after = 0;
  for (;;) {
    const next = prospectsQuery(owner.user_id).where('p.id', '>', after).orderBy('p.id').limit(pageRows);
    const page = await read(db, owner, next);
    const rows = page.map((row) => ({ ...row, stage: row.stage_name }));
    yield stringify(rows, { columns: [...prospectCsvColumns], escape_formulas: true });
    after = page.at(-1)?.id ?? after;
    if (page.length < pageRows) return;
  }
}
