import { z } from 'zod';
import { maxInteger } from '../domain/shared/integer-column.ts';

/** The version of a row that somebody has read; a change on another one is refused as stale. */
export const rowVersion = z.int().min(1).max(maxInteger).describe('The version the change was built on');
