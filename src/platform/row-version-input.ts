import { z } from 'zod';
import { maxInteger } from '../domain/shared/integer-column.ts';

/** The version of a row that the caller has read; a change based on another one is refused as stale. */
export const rowVersion = z.int().min(1).max(maxInteger).describe('The version that the change is based on');
