import { describe, expect, it } from '@jest/globals';
import { partsOfInputs } from '../support/inputs/input-schemas.ts';
import { joiners, unseenCharacters } from '../support/inputs/unseen-characters.ts';

/** Members by which people name things and say why, in whatever they stand. */
const read = /\/(\w+_)?(name|title|department|purpose|reason|comment|description)(\/|$)/;

/** They name a queue that is there, whose own name has small letters, digits, dots and hyphens. */
const references = ['queue.clean/name', 'queue.unregister/name'];

describe('a name or a reason has no characters that its readers do not see', () => {
  const texts = partsOfInputs('type', 'string').filter(([place]) => read.test(place) && !references.includes(place));
  const written = texts.filter(([, schema]) => schema.safeParse('Ana Silva').success);

  it('in every input of every route and action', () => {
    expect(written.length).toBeGreaterThan(60);
    const hidden = unseenCharacters.filter((character) => !joiners.includes(character));
    const taking = written.filter(([, schema]) => hidden.some((character) => schema.safeParse(`Ana${character}Silva`).success));
    expect(taking.map(([place]) => place)).toEqual([]);
  });
});
