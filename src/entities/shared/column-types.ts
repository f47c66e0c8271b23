import { JsonType, p, Type } from '@mikro-orm/postgresql';
import type { EntitySchema } from '@mikro-orm/postgresql';
import { sameJson } from '../../domain/shared/canonical.ts';
import { timestampText } from '../../domain/shared/timestamp-text.ts';

/** A moment as text in UTC: in an entity as in the rows of typed SQL and in answers. */
class TimestampType extends Type<string, string> {
  override getColumnType(): string {
    return 'timestamptz(3)';
  }

  override get runtimeType(): string {
    return 'string';
  }

  override compareAsType(): string {
    return 'string';
  }

  /** The driver gives the text already (`platform/database/wire-types.ts`). */
  override ensureComparable(): boolean {
    return false;
  }
}

/** JSON that is equal by what it says: another order of keys is no change and makes no new version. */
class JsonbType extends JsonType {
  /** Either value as the text that would be sent, or as the driver gives it: where a row is read again, one of each. */
  override compareValues(one: unknown, other: unknown): boolean {
    return sameJson(jsonOf(one), jsonOf(other));
  }
}

function jsonOf(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** A `timestamptz(3)` column. */
export const timestamp = () => p.type(TimestampType).$type<string>();

/** The present time, for `onCreate` and `onUpdate` of a {@link timestamp}. */
export const now = (): string => timestampText(Date.now());

/** A `jsonb` column that holds values of one type. */
export const jsonb = <Value>() => p.type(JsonbType).$type<Value>();

/**
 * A column with the id of another entity. It is a plain id in entity, row and typed SQL; MikroORM learns from it only that
 * the other row is inserted first. The composite foreign key is the migration's (ADR 3).
 */
export function reference<const Column extends string, Target extends EntitySchema>(target: Target, column: Column) {
  return p.manyToOne(target).mapToPk().fieldName(column).createForeignKeyConstraint(false).index(false);
}
