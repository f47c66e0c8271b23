import { Query } from 'pg';
import type { CustomTypesConfig, PoolClient } from 'pg';
import utils from 'pg/lib/utils.js';

/** One statement of a batch. Under a name, PostgreSQL keeps it parsed and planned on the connection. */
export interface Statement {
  readonly name?: string | undefined;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/** The result of one statement. */
export interface StatementResult {
  /** The first word of PostgreSQL's command tag, e.g. `UPDATE`. */
  readonly command: string;
  /** Rows returned or changed. */
  readonly rowCount: number;
  readonly rows: object[];
}

/**
 * Sends statements together and waits once for all of them. Where no transaction is open, they form one: PostgreSQL begins
 * it with the first statement and commits it at the end of the batch. The first one that fails ends the batch: later ones
 * are not executed.
 *
 * Without it the driver ends every statement with its own Sync. PostgreSQL answers each of those with a packet, so a
 * transaction of four statements wakes both sides four times.
 *
 * @param client a connection with `pipeline: true`; batches that are sent at once are answered in order.
 * @returns the results in the order of the statements.
 * @throws the error of the statement that failed.
 */
export async function runBatch(client: PoolClient, statements: readonly Statement[]): Promise<StatementResult[]> {
  try {
    return await new Promise((resolve, reject) => {
      client.query(new StatementBatch(client, statements, resolve, reject));
    });
  } catch (error) {
    // The stack of the socket's event is of no use; this one shows the caller.
    if (error instanceof Error) Error.captureStackTrace(error);
    throw error;
  }
}

/** How the rows of a statement are read. */
interface RowShape {
  readonly columns: readonly { readonly name: string; readonly parse: (text: string) => unknown }[];
  /** A row of nothing but nulls: copied and filled, all rows of a statement are of one hidden class. */
  readonly empty: Record<string, unknown>;
}

const noRows: RowShape = { columns: [], empty: {} };

/**
 * The shapes of prepared statements, by connection and name. They remain valid: when a change of a table would change the
 * rows of a prepared statement, PostgreSQL refuses to execute it. Known shapes need not be described with every result.
 */
const shapesOf = new WeakMap<PoolClient, Map<string, RowShape>>();

/** The parts of the driver's connection that are used, with its record of prepared statements: text by name. */
interface DriverConnection {
  readonly stream: { cork(): void; uncork(): void };
  readonly parsedStatements: Record<string, string>;
  readonly submittedNamedStatements: Record<string, string>;
  parse(statement: { name: string; text: string }): void;
  bind(values: { statement: string; values: readonly unknown[] }): void;
  describe(portal: { type: 'P' }): void;
  execute(): void;
  sync(): void;
}

interface FieldDescription {
  readonly name: string;
  readonly dataTypeID: number;
}

/** For the driver a batch is one query, with more than one result: it passes on every message until ReadyForQuery. */
class StatementBatch extends Query {
  /** Of the statement whose result is arriving; the driver records by them what has been prepared. */
  declare name: string | undefined;
  declare text: string;
  readonly #statements: readonly (Statement & { readonly bound: readonly unknown[] })[];
  readonly #types: CustomTypesConfig;
  readonly #shapes: Map<string, RowShape>;
  readonly #resolve: (results: StatementResult[]) => void;
  readonly #reject: (error: unknown) => void;
  readonly #results: StatementResult[] = [];
  #shape: RowShape | undefined;
  #rows: object[] = [];
  #fault: unknown;

  constructor(
    client: PoolClient,
    statements: readonly Statement[],
    resolve: (results: StatementResult[]) => void,
    reject: (error: unknown) => void,
  ) {
    super('');
    // Values that cannot be sent are detected before anything is sent.
    this.#statements = statements.map((one) => ({ ...one, bound: (one.values ?? []).map(utils.prepareValue) }));
    this.#types = client;
    this.#shapes = shapesOf.get(client) ?? new Map<string, RowShape>();
    shapesOf.set(client, this.#shapes);
    this.#resolve = resolve;
    this.#reject = reject;
    this.#expect(0);
  }

  override submit = (given: unknown): void => {
    // The published types lack the record of statements and still have a second parameter.
    const connection = given as DriverConnection;
    connection.stream.cork();
    for (const { name = '', text, bound } of this.#statements) {
      const isParsed = name in connection.parsedStatements || name in connection.submittedNamedStatements;
      if (!isParsed) {
        connection.parse({ name, text });
        if (name !== '') connection.submittedNamedStatements[name] = text;
      }
      connection.bind({ statement: name, values: bound });
      if (!this.#shapes.has(name)) connection.describe({ type: 'P' });
      connection.execute();
    }
    connection.sync();
    connection.stream.uncork();
  };

  handleRowDescription({ fields }: { readonly fields: readonly FieldDescription[] }): void {
    this.#shape = {
      columns: fields.map(({ name, dataTypeID }) => {
        const parse = this.#types.getTypeParser(dataTypeID, 'text') as (text: string) => unknown;
        return { name, parse };
      }),
      empty: Object.fromEntries(fields.map(({ name }) => [name, null])),
    };
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    if (this.#shape === undefined || this.#fault !== undefined) return;
    const { columns, empty } = this.#shape;
    const row = { ...empty };
    try {
      for (const [place, { name, parse }] of columns.entries()) {
        const text = fields[place] ?? null;
        if (text !== null) row[name] = parse(text);
      }
    } catch (error) {
      this.#fault = error;
    }
    this.#rows.push(row);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const words = text.split(' ');
    this.#results.push({ command: words[0] ?? '', rowCount: Number(words.at(-1)) || 0, rows: this.#rows });
    if (this.name !== undefined && !this.#shapes.has(this.name)) this.#shapes.set(this.name, this.#shape ?? noRows);
    this.#expect(this.#results.length);
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: '' });
  }

  handleReadyForQuery(): void {
    if (this.#fault === undefined) this.#resolve(this.#results);
    else this.#reject(this.#fault);
  }

  handleError(error: unknown, { submittedNamedStatements }: DriverConnection): void {
    // Statements after the failed one were not prepared either.
    for (const { name } of this.#statements.slice(this.#results.length)) {
      if (name !== undefined) Reflect.deleteProperty(submittedNamedStatements, name);
    }
    this.#reject(this.#fault ?? error);
  }

  #expect(place: number): void {
    const statement = this.#statements[place];
    this.name = statement?.name;
    this.text = statement?.text ?? '';
    this.#shape = this.name === undefined ? undefined : this.#shapes.get(this.name);
    this.#rows = [];
  }
}
