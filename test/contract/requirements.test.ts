import { beforeAll, describe, expect, it } from '@jest/globals';
/** What code, tests and documents call by a requirement's id can be looked up in docs/requirements.md, and nothing else. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '../..');
const list = 'docs/requirements.md';

/** Merged migrations are frozen: their ids count, their words are left alone. */
const frozen = 'migrations';
const places = ['src', 'test', 'bench', 'scripts', 'docs', 'README.md', 'SECURITY.md', 'CONTRIBUTING.md', frozen];
/** Generated, recorded or measured: nobody names a requirement there. */
const machineMade = ['src/sdk/openapi.types.ts', 'test/histories', 'bench/results'];

const idPattern = /\b(S[0-4]|[XTU])-(\d+)(?:\.\.(\d+))?(?![\d-])/g;
/** Numbers of lists that are not in this repository. */
const unnumbered = /\b(?:capabilit(?:y|ies)|goals?) \d+/gi;

/** The paths of all text files at or below a place, relative to the repository. */
async function filesOf(place: string): Promise<string[]> {
  const path = join(root, place);
  if (!(await stat(path)).isDirectory()) return [place];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\.(?:ts|js|md|sql|sh)$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** The text on one line, without the marks that begin the lines of a comment: phrases may be broken over two lines. */
function flat(text: string): string {
  return text.replace(/\n\s*(?:\*|\/\/)?\s*/g, ' ');
}

/** Every id in a text; `S2-14..16` names three. */
function idsIn(text: string): string[] {
  return [...text.matchAll(idPattern)].flatMap(([, document, first, last]) =>
    Array.from({ length: Number(last ?? first) - Number(first) + 1 }, (_, at) => `${document!}-${String(Number(first) + at)}`),
  );
}

const lines: { id: string; text: string }[] = [];
const named = new Map<string, string[]>();
const phrases: string[] = [];

beforeAll(async () => {
  for (const [, id, text] of (await readFile(join(root, list), 'utf8')).matchAll(/^- \*\*(.+?)\*\* (.*)$/gm)) {
    lines.push({ id: id!, text: text! });
  }
  const paths = (await Promise.all(places.map(filesOf))).flat();
  for (const path of paths.filter((one) => !machineMade.some((made) => one.startsWith(made)))) {
    const text = await readFile(join(root, path), 'utf8');
    if (path !== list) for (const id of idsIn(text)) named.set(id, [...(named.get(id) ?? []), path]);
    if (!path.startsWith(frozen)) phrases.push(...[...flat(text).matchAll(unnumbered)].map(([found]) => `${path}: ${found}`));
  }
});

describe('docs/requirements.md', () => {
  it('has a line for every id that is named', () => {
    const known = new Set(lines.map(({ id }) => id));
    const unknown = [...named].filter(([id]) => !known.has(id)).map(([id, paths]) => `${id} in ${paths[0]!}`);
    expect(unknown).toEqual([]);
  });

  it('has no line that nothing names', () => {
    expect(lines.filter(({ id }) => !named.has(id)).map(({ id }) => id)).toEqual([]);
  });

  it('has one sentence for each id, in the order of document and number', () => {
    const order = ['S0', 'S1', 'S2', 'S3', 'S4', 'X', 'T', 'U'];
    const rank = (id: string): number => {
      const [document, number] = id.split('-');
      return order.indexOf(document!) * 1_000 + Number(number);
    };
    const ids = lines.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)].sort((left, right) => rank(left) - rank(right)));
    expect(lines.filter(({ text }) => text.length < 20 || text.length > 125 || !text.endsWith('.'))).toEqual([]);
  });
});

it('numbers of lists that are not in the repository are named nowhere', () => {
  expect(phrases).toEqual([]);
});
