import { Client } from 'pg';
import { inspectSchema } from '../../domain/config/config-schema-bounds.ts';
import type { SchemaIssue } from '../../domain/config/config-schema-bounds.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { loadEnv } from '../../platform/env.ts';
import { patternIssues } from '../../services/config/config-schema-judgement.ts';

/** A stored schema that the next proposal would be refused with. */
export interface RefusedSchema {
  readonly tenant_id: string;
  readonly environment: string;
  /** The versions of the configuration that have it. */
  readonly versions: readonly number[];
  readonly issues: readonly SchemaIssue[];
}

const batchSize = 100;

/**
 * Finds stored schemas that are not taken any more: by their patterns or their size. They are served as before; the next
 * proposal has to bring one that is taken.
 *
 * @param ownerUrl role that owns the schema: the application's own role sees one tenant at a time.
 */
export async function findRefusedSchemas(ownerUrl: string): Promise<RefusedSchema[]> {
  const client = new Client({ connectionString: ownerUrl, application_name: 'castellan-schemas' });
  await client.connect();
  try {
    const refused: RefusedSchema[] = [];
    for (let offset = 0; ; offset += batchSize) {
      const { rows } = await client.query<Omit<RefusedSchema, 'issues'> & { schema: JsonObject }>(
        `select tenant_id, environment, schema, array_agg(config_version order by config_version) as versions
         from admin_config_versions group by tenant_id, environment, schema
         order by tenant_id, environment, min(config_version) limit $1 offset $2`,
        [batchSize, offset],
      );
      for (const { schema, ...place } of rows) {
        const issues = [...inspectSchema(schema).issues, ...patternIssues(schema)];
        if (issues.length > 0) refused.push({ ...place, issues });
      }
      if (rows.length < batchSize) return refused;
    }
  } finally {
    await client.end();
  }
}

if (import.meta.main) {
  const { DATABASE_OWNER_URL } = loadEnv();
  if (DATABASE_OWNER_URL === undefined) throw new Error('DATABASE_OWNER_URL is not set.');
  const refused = await findRefusedSchemas(DATABASE_OWNER_URL);
  for (const { tenant_id, environment, versions, issues } of refused) {
    process.stdout.write(`tenant ${tenant_id}, ${environment}, version ${versions.join(', ')}\n`);
    for (const { pointer, detail } of issues) process.stdout.write(`  ${pointer === '' ? '/' : pointer}: ${detail}\n`);
  }
  process.stdout.write(refused.length === 0 ? 'Every stored schema is taken.\n' : `${refused.length} are not taken any more.\n`);
  process.exitCode = refused.length === 0 ? 0 : 1;
}
