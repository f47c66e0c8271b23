import { entitiesByTable } from '../../entities/index.ts';

/**
 * What a constraint of the database is about, for the answer to who has run into it: row-level security keeps PostgreSQL from
 * naming the columns itself.
 */
export interface ConstraintSubject {
  /** What a row of the table is, e.g. `feature flag`. */
  readonly thing: string;
  /** The field of the request, if one can be named. */
  readonly field: string | null;
}

/** Constraints whose name does not say their field. */
const fieldsByConstraint: Readonly<Record<string, string>> = {
  admin_approval_policies_place_key: 'action',
  admin_feature_flags_place_key: 'key',
  admin_queues_source_key: 'source_name',
  ck_activity_amount: 'amount',
  ck_activity_status: 'status',
  ck_activity_type: 'type',
  client_data_requests_open_key: 'kind',
  uq_user_date: 'date',
  uq_user_week: 'week_start',
  user_agent_permissions_user_agent_key: 'agent_name',
  users_tenant_phone_key: 'phone_number',
};

/** Constraints are named `<table>_<field>_key`, `…_fk`, `…_fkey` or `…_check`; a field may be without its `_id` or `_minor`. */
export function subjectOf(table: string | undefined, constraint: string | undefined): ConstraintSubject | null {
  const entity = Object.entries(entitiesByTable).find(([name]) => name === table)?.[1];
  if (table === undefined || entity === undefined) return null;
  const known = fieldsByConstraint[constraint ?? ''];
  const part = /^(?:tenant_(?!id_))?(\w+)_(?:key|fk|fkey|check)$/.exec(constraint?.slice(table.length + 1) ?? '')?.[1];
  const columns: object = entity.properties;
  const isNamed = constraint?.startsWith(`${table}_`) === true && part !== undefined;
  const column = isNamed ? [part, `${part}_id`, `${part}_minor`].find((name) => name in columns) : undefined;
  return { thing: thingOf(entity.name), field: known ?? column ?? null };
}

/** `AdminPipelineStage` is a `pipeline stage`. */
function thingOf(entityName: string): string {
  return entityName
    .replace(/^Admin(?=[A-Z])/, '')
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toLowerCase();
}

/** The name of a field as it is said: `phone_number` is a `phone number`, `campaign_id` a `campaign`. */
export function fieldWords(field: string): string {
  return field.replace(/_id$/, '').replaceAll('_', ' ');
}

/** `a` or `an`, and the word. */
export function withArticle(words: string): string {
  return `${/^[aeio]/.test(words) ? 'an' : 'a'} ${words}`;
}
