import type { CompiledQuery } from 'kysely';
import type { z } from 'zod';
import type { Actor } from '../../domain/shared/actor.ts';
import type { Permission } from '../../domain/identity/permissions.ts';

/** What the query and the presentation of a section get. */
export interface SectionContext {
  readonly actor: Actor;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The same time, RFC 3339. */
  readonly at: string;
}

interface Compilable<Row> {
  compile(): CompiledQuery<Row>;
}

/** The data of a section and their time; null when they were never determined. Sections that are read live are of now. */
export interface SectionView<Data> {
  readonly as_of: string | null;
  readonly data: Data;
}

interface SectionSpec<Key extends string, Row, Data extends z.ZodType> {
  /** Its name in the answer. */
  readonly key: Key;
  /** Who lacks it gets the section without data. */
  readonly permission: Permission;
  /** The path of this API that has all the data. */
  readonly link: string;
  readonly data: Data;
  /** One query, because all sections together take one round trip. */
  readonly query: (context: SectionContext) => Compilable<Row>;
  readonly present: (rows: readonly Row[], context: SectionContext) => SectionView<z.input<Data>>;
}

/** A section in the list of the dashboard, where the type of its rows is not known any more. */
export interface DashboardSection<Key extends string = string, Data extends z.ZodType = z.ZodType> extends Omit<
  SectionSpec<Key, object, Data>,
  'present'
> {
  readonly present: (rows: readonly object[], context: SectionContext) => SectionView<z.input<Data>>;
}

/** Declares a section of the dashboard. */
export function dashboardSection<Key extends string, Row extends object, Data extends z.ZodType>(
  spec: SectionSpec<Key, Row, Data>,
): DashboardSection<Key, Data> {
  // The rows are always those of this section's own query.
  return { ...spec, present: (rows, context) => spec.present(rows as readonly Row[], context) };
}
