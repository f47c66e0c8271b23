import { z } from 'zod';
import { EnvError } from './env.ts';

const retentionSchema = z
  .object({
    /** PostgreSQL as the login of the retention, a member of castellan_retention and of nothing else. */
    RETENTION_DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//, 'must be a postgres:// URL'),
    /** Public keys of checkpoints, as `…/checkpoints/latest` shows them, separated by commas; any chain's stand for all. */
    AUDIT_PUBLIC_KEY: z
      .string()
      .transform((text) => text.split(',').map((key) => key.trim()).filter((key) => key !== ''))
      .pipe(z.array(z.string()).min(1)),
    AUDIT_ARCHIVE_DIR: z.string(),
    AUDIT_CHECKPOINT_DIR: z.string().optional(),
    AUDIT_WITNESS_DIR: z.string().optional(),
    LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  })
  .refine(({ AUDIT_CHECKPOINT_DIR, AUDIT_WITNESS_DIR }) => (AUDIT_CHECKPOINT_DIR ?? AUDIT_WITNESS_DIR) !== undefined, {
    path: ['AUDIT_CHECKPOINT_DIR'],
    message: 'is needed, or AUDIT_WITNESS_DIR: nothing is dropped without a checkpoint from outside the database',
  });

/** The environment of the retention. It has no secret of the application, and the application none of it. */
export type RetentionEnv = z.infer<typeof retentionSchema>;

/**
 * Validates the environment of `npm run retention`.
 *
 * @throws EnvError with one line for each bad variable and never a value
 */
export function loadRetentionEnv(source: NodeJS.ProcessEnv): RetentionEnv {
  const set = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ''));
  const result = retentionSchema.safeParse(set);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new EnvError(`The environment is not usable:\n${lines.join('\n')}`);
}
