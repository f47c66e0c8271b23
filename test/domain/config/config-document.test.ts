import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import type { JsonValue } from '../../../src/domain/shared/canonical.ts';
import {
  configDifferences,
  isMaskedSecret,
  joinSecrets,
  maskedSecret,
  resolveKeptSecrets,
  splitSecrets,
} from '../../../src/domain/config/config-document.ts';
import { brokenLedgerRow, ledgerForm, ledgerGenesis } from '../../../src/domain/config/config-ledger.ts';
import type { LedgerFacts, LedgerRow } from '../../../src/domain/config/config-ledger.ts';
import { payloadDigest } from '../../../src/platform/security/digest.ts';

const print = (text: string) => `k1:${payloadDigest(text).slice(0, 32)}`;
const document = { host: 'db', password: 'hunter22', nested: { keys: ['a/b', 'c~d'], 'odd/name': 'secret!' } };
const places = new Set(['/password', '/nested/keys/1', '/nested/odd~1name']);

describe('S2-58: secrets of a document', () => {
  it('are removed by pointer and put back', () => {
    const { masked, secrets } = splitSecrets(document, places, print);
    expect(JSON.stringify(masked)).not.toMatch(/hunter22|c~d|secret!/);
    expect(Object.keys(secrets).sort()).toEqual([...places].sort());
    expect(joinSecrets(masked, secrets)).toEqual(document);
  });

  it('of any document: the masked form holds no secret, and joining the secrets gives the document', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (any) => {
        const value = any as JsonValue;
        const first = Object.keys(any)[0];
        const pointers = new Set(first === undefined ? [] : [`/${first.replaceAll('~', '~0').replaceAll('/', '~1')}`]);
        const { masked, secrets } = splitSecrets(value, pointers, print);
        expect(joinSecrets(masked, secrets)).toEqual(value);
      }),
    );
  });

  it('are kept when their mask is sent back to the same place, and not at another place', () => {
    const { masked, secrets } = splitSecrets(document, places, print);
    expect(resolveKeptSecrets(masked, masked, secrets)).toEqual({ document, unknown: [] });
    const moved = { ...(masked as object), other: maskedSecret(print('hunter22')) };
    expect(resolveKeptSecrets(moved, masked, secrets).unknown).toEqual(['/other']);
    const forged = { ...(masked as object), password: maskedSecret(print('else')) };
    expect(resolveKeptSecrets(forged, masked, secrets).unknown).toEqual(['/password']);
  });

  it('S2-36: are compared as a whole, all other values by place', () => {
    const shown = (secret: string) => splitSecrets({ ...document, password: secret }, places, print).masked;
    const differences = configDifferences(shown('one'), shown('two'));
    expect(differences).toHaveLength(1);
    expect(differences[0]?.path).toBe('/password');
    expect(isMaskedSecret(differences[0]?.proposed)).toBe(true);
    expect(configDifferences({ a: 1, b: [1] }, { a: 2, c: 3 })).toEqual([
      { path: '/a', current: 1, proposed: 2 },
      { path: '/b', current: [1] },
      { path: '/c', proposed: 3 },
    ]);
    expect(configDifferences(null, { a: 1 })).toEqual([{ path: '/a', proposed: 1 }]);
    expect(configDifferences({ a: 1 }, { a: 1 })).toEqual([]);
  });
});

describe('S2-61: the ledger', () => {
  const facts = (seq: number): LedgerFacts => ({
    environment: 'staging',
    seq,
    at: `2026-11-21T10:00:0${seq}.500Z`,
    event: 'stage',
    deployment_id: 'd',
    stable_version: 1,
    stable_digest: 'a',
    candidate_version: null,
    candidate_digest: null,
    candidate_percentage: 0,
    approval_id: null,
    approvers: [],
    actor_id: null,
    evidence: { seq },
  });
  const chain = (length: number): LedgerRow[] => {
    const rows: LedgerRow[] = [];
    for (let seq = 1; seq <= length; seq += 1) {
      const prev_hash = rows.at(-1)?.hash ?? ledgerGenesis;
      rows.push({ ...facts(seq), prev_hash, hash: payloadDigest(ledgerForm('t', prev_hash, facts(seq))) });
    }
    return rows;
  };
  const rows = chain(4);
  const head = { seq: 4, hash: rows[3]?.hash ?? '' };
  const broken = (changed: readonly LedgerRow[]) => brokenLedgerRow('t', changed, head, payloadDigest);

  it('is intact, also when the database has dropped trailing zeros of a time', () => {
    expect(broken(rows)).toBeNull();
    expect(broken(rows.map((row) => ({ ...row, at: row.at.replace('.500Z', '.5Z') })))).toBeNull();
  });

  it('reveals edited, deleted, reordered and truncated rows', () => {
    expect(broken(rows.map((row) => (row.seq === 2 ? { ...row, stable_version: 9 } : row)))).toBe(2);
    expect(broken(rows.filter(({ seq }) => seq !== 3))).toBe(4);
    expect(broken(rows.toSorted((left, right) => right.seq - left.seq))).toBe(4);
    expect(broken(rows.slice(0, 3))).toBe(4);
    expect(brokenLedgerRow('other', rows, head, payloadDigest)).toBe(1);
  });
});
