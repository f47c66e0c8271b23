import type { CompiledQuery } from 'kysely';
import type { z } from 'zod';
import type { Actor } from '../../domain/shared/actor.ts';
import type { Permission } from '../../domain/identity/permissions.ts';

/** What a section may look at. */
export interface SectionContext {
  readonly actor: Actor;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The same, RFC 3339. */
  readonly at: string;
}

interface Compilable<Row> {
  compile(): CompiledQuery<Row>;
}

/** What a section shows, and of when it is: null stands for "never". Most sections are read live and so of now. */
export interface SectionView<Data> {
  readonly as_of: string | null;
  readonly data: Data;
}

interface SectionSpec<Key extends string, Row, Data extends z.ZodType> {
  /** Its name in the answer. */
  readonly key: Key;
  /** Who lacks it sees that the section is there, and nothing of it. */
  readonly permission: Permission;
  /** Where the whole of it is, a path of this API. */
  readonly link: string;
  readonly data: Data;
  /** One query: all sections together cost one round trip. */
  readonly query: (context: SectionContext) => Compilable<Row>;
  readonly present: (rows: readonly Row[], context: SectionContext) => SectionView<z.input<Data>>;
}

/** A section as the dashboard holds it: the type of its rows is known to its own declaration only. */
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
  // The rows that come back are those of this very query.
  return { ...spec, present: (rows, context) => spec.present(rows as readonly Row[], context) };
}
