import { TypeOverrides } from 'pg';

const oid = { int8: 20, date: 1082, timestamptz: 1184 } as const;

/**
 * PostgreSQL's text form of a timestamptz to RFC 3339 UTC. Connections run with `TimeZone=UTC`, so the
 * offset is always `+00`.
 */
function timestamptzToIso(text: string): string {
  return text.endsWith('+00') ? `${text.slice(0, 10)}T${text.slice(11, -3)}Z` : new Date(text).toISOString();
}

/**
 * How column values arrive in TypeScript, on every connection alike: timestamptz as an RFC 3339 string, date as
 * `YYYY-MM-DD`, int8 as a number (our counters and minor units stay below 2^53). Rows can so be presented as they are.
 */
export function createWireTypes(): TypeOverrides {
  const types = new TypeOverrides();
  types.setTypeParser(oid.timestamptz, timestamptzToIso);
  types.setTypeParser(oid.date, (text) => text);
  types.setTypeParser(oid.int8, Number);
  return types;
}
