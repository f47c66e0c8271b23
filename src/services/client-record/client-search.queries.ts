import { sql } from 'kysely';
import { kysely } from '../../entities/kysely-schema.ts';

/** How far the hits of a word are counted, to know which word is the rarest. */
const countedHits = 1_000;

/**
 * The folded words of a search, each with how many names have a word that begins with it, among the clients that are deleted or the others. Names and searches are folded by the one
 * function of the database.
 */
export function wordHits(text: string, isDeleted: boolean) {
  const hits = sql<{ word: string; hits: number }>`
    select s.word, (select count(*)::int from (
      select from client_name_words w where w.is_deleted = ${isDeleted} and w.word >= s.word collate "C" and w.word < (s.word || ${sql.lit('\u{10ffff}')}) collate "C"
      limit ${countedHits}) counted) as hits
    from unnest(name_words(${text})) as s (word)`;
  return { compile: () => hits.compile(kysely) };
}

/** The words in the order in which they are looked for: the rarest by the index, the others in the names that it finds. */
export function rarestFirst(hits: readonly { readonly word: string; readonly hits: number }[]): string[] {
  return hits.toSorted((one, other) => one.hits - other.hits || other.word.length - one.word.length).map(({ word }) => word);
}

/** Word and name of a position in the order of hits. */
export function wordPosition(position: string): [word: string, name: string] {
  const end = position.indexOf(' ');
  return [position.slice(0, end), position.slice(end + 1)];
}
