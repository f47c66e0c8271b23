import { sql } from 'kysely';
import type { CompiledQuery, RawBuilder } from 'kysely';

/** A query that knows its text; what `compile()` of any Kysely query gives. */
interface Compilable<Row> {
  compile(): CompiledQuery<Row>;
}

/** Stands in a query for a value that comes with each call. */
class Placeholder {
  readonly name: PropertyKey;

  constructor(name: PropertyKey) {
    this.name = name;
  }
}

/**
 * A query whose text is made once and not with every call: building and compiling cost more than sending it, and the
 * shape of a hot query never changes. Only values can differ, so lists and optional conditions need a query of their own.
 *
 * @param build makes the query; `param` stands where a value goes.
 * @returns makes the query with its values, for the read path or `tx.sql.executeQuery`.
 */
export function prepared<Values extends object>() {
  return <Row>(
    build: (param: <Name extends keyof Values>(name: Name) => RawBuilder<Values[Name]>) => Compilable<Row>,
  ): ((values: Values) => Compilable<Row>) => {
    let made: CompiledQuery<Row> | undefined;
    return (values) => {
      made ??= build((name) => sql`${new Placeholder(name)}`).compile();
      const { parameters, ...rest } = made;
      return { compile: () => ({ ...rest, parameters: parameters.map((one) => valueOf(one, values)) }) };
    };
  };
}

function valueOf(parameter: unknown, values: object): unknown {
  return parameter instanceof Placeholder ? (Reflect.get(values, parameter.name) as unknown) : parameter;
}
