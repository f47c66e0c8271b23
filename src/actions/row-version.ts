import { z } from 'zod';

/** What an `integer` column holds at most. */
const maxInteger = 2_147_483_647;

/** The version of a row that somebody has read; a change on another one is refused as stale. */
export const rowVersion = z.int().min(1).max(maxInteger).describe('The version the change was built on');
