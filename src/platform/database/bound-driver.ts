import { isRaw, raw } from '@mikro-orm/core';
import type { AnyEntity, Dictionary, EntityData, LoggingOptions, QueryResult, RawQueryFragment, Transaction } from '@mikro-orm/core';
import { PostgreSqlConnection, PostgreSqlDriver } from '@mikro-orm/postgresql';
import type { NativeQueryBuilder } from '@mikro-orm/postgresql';
import { CompiledQuery } from 'kysely';
import type { Kysely } from 'kysely';

/**
 * MikroORM's driver, except that values are sent as parameters. By default it writes them into the SQL text: PostgreSQL would
 * then prepare no statement, because each text is new, and values would appear in errors and logs.
 */
export class BoundDriver extends PostgreSqlDriver {
  protected override readonly connection = new BoundConnection(this.config);
}

type ExecuteResult = QueryResult | EntityData<AnyEntity> | EntityData<AnyEntity>[];

class BoundConnection extends PostgreSqlConnection {
  override async execute<Result extends ExecuteResult = EntityData<AnyEntity>[]>(
    query: string | NativeQueryBuilder | RawQueryFragment,
    params: readonly unknown[] | Dictionary = [],
    method: 'all' | 'get' | 'run' = 'all',
    ctx?: Transaction,
    loggerContext?: LoggingOptions,
  ): Promise<Result> {
    await this.ensureConnection();
    const { text: given, values } = bindValues(fragmentOf(query, params), (name) => this.platform.quoteIdentifier(name));
    const text = weakerLock(given);
    const client = (ctx ?? this.getClient()) as Kysely<unknown>;
    const run = async (): Promise<Result> =>
      this.transformRawResult<Result>(await client.executeQuery(CompiledQuery.raw(text, values)), method);
    return this.executeQuery(text, run, loggerContext);
  }
}

/**
 * The lock of a row that is about to be changed. MikroORM asks for the one that also protects the key, behind which every
 * insert waits that refers to the row. Our changes leave keys alone, and a deletion takes the stronger lock itself.
 */
function weakerLock(text: string): string {
  return text.endsWith(' for update') ? `${text.slice(0, -' for update'.length)} for no key update` : text;
}

/** SQL in MikroORM's form: `?` is a placeholder of a value, `??` of an identifier, `\?` for a question mark. */
interface Fragment {
  readonly sql: string;
  readonly params: readonly unknown[];
}

function fragmentOf(query: string | NativeQueryBuilder | RawQueryFragment, params: readonly unknown[] | Dictionary): Fragment {
  if (isRaw(query)) return query;
  if (typeof query !== 'string') return query.toRaw();
  return Array.isArray(params) ? { sql: query, params } : raw(query, params as Dictionary);
}

/** @returns the text with `$1`, `$2`, … and the values for the driver. */
export function bindValues(fragment: Fragment, quoteName: (name: string) => string): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const put = (value: unknown): string => {
    if (isRaw(value)) return textOf(value);
    // A list is the operand of `in (?)`; values of array columns are already texts here.
    if (Array.isArray(value)) return value.map(put).join(', ');
    return `$${values.push(wireValue(value))}`;
  };
  const textOf = ({ sql, params }: Fragment): string => {
    // A text without parameters is sent unchanged.
    if (params.length === 0) return sql;
    let next = 0;
    return sql.replace(/\\\?|\?\??/g, (mark) => {
      if (mark === '\\?') return '?';
      const value = params[next++];
      return mark === '??' ? quoteName(String(value)) : put(value);
    });
  };
  return { text: textOf(fragment), values };
}

/** The driver would serialize a Date in the time zone of this process. */
function wireValue(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'bigint' ? value.toString() : value;
}
