import type { Client } from '@temporalio/client';
import type { Kysely } from 'kysely';
import type { CastellanSchema } from '../../../src/entities/kysely-schema.ts';
import type { Look } from '../stack/uptime.ts';
import type { CommandRecord } from '../load/command.ts';
import type { StormTarget, StormTenant } from '../load/world.ts';

/** What the checks look at, once everything has settled. */
export interface StormHistory {
  readonly target: StormTarget;
  readonly tenants: readonly StormTenant[];
  readonly records: readonly CommandRecord[];
  /** The database behind every policy. */
  readonly db: Kysely<CastellanSchema>;
  readonly temporal: Client;
  readonly looks: readonly Look[];
  /** The flags that a process serves, by their keys. */
  readonly readFlags: (tenant: StormTenant, url: string, environment: string) => Promise<ReadonlyMap<string, unknown>>;
}

/** How a command is named in a violation, so that it is found in the log of the callers. */
export function nameOf({ operation, key, request_id, planned }: CommandRecord): string {
  return `${operation.name}, key ${key}, request ${request_id}, marker ${planned.marker}`;
}

/** The ids of the companies of the storm, for queries. */
export function tenantIds({ tenants }: Pick<StormHistory, 'tenants'>): string[] {
  return tenants.map(({ id }) => id);
}
