import { sql } from 'kysely';
import { kysely } from '../../entities/kysely-schema.ts';

/** The mean of a metric's samples, and over how many events they were taken. */
interface MetricMean {
  /** Null without a sample. */
  readonly value: number | null;
  readonly samples: number;
}

/** The mean of a health metric over the last `seconds`: the tenant's own samples or the platform's, not rolled up. */
export function metricMeanQuery(metric: string, seconds: number) {
  const statement = sql<MetricMean>`
    select avg(value)::double precision as value, coalesce(sum(known_count), 0)::int as samples
    from admin_system_health
    where metric = ${metric} and resolution_seconds = 0
      and at > now() - make_interval(secs => ${seconds})`;
  return { compile: () => statement.compile(kysely) };
}
