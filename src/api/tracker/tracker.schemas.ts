import { z } from 'zod';
import { maxInteger } from '../../domain/shared/integer-column.ts';
import { timestamp, uuid } from '../../platform/value-schemas.ts';

/** Integer id in a path. Text that is no number, `today` included, names a resource that is not there (S0-80). */
const pathId = z
  .string()
  .regex(/^[1-9]\d{0,9}$/)
  .transform(Number)
  .refine((id) => id <= maxInteger);

export const idParams = z.object({ id: pathId });
export const stageParams = z.object({ id: pathId, stageId: pathId });

/** Integer id in a body or an answer. */
export const rowId = z.int().min(1).max(maxInteger);

/** {@link rowId} in a query string. */
export const queryId = z.coerce.number().int().min(1).max(maxInteger);

/** A yes or no in a query string. */
export const queryFlag = z.enum(['true', 'false']).transform((text) => text === 'true');

/** Free text of a person. */
export const freeText = (maxLength: number) => z.string().max(maxLength);

/** Fields that the answers of a person's rows begin with. */
export const ownedFields = { id: rowId, user_id: uuid };

/** Fields that the answers of rows end with that can change. */
export const rowTimestamps = { created_at: timestamp, updated_at: timestamp };
