import { CompiledQuery } from 'kysely';
import { verifyChain } from '../../../src/services/audit/audit-chain-verification.service.ts';
import { tenantIds } from './history.ts';
import type { StormHistory } from './history.ts';
import { Findings } from './violation.ts';
import type { Finding } from './violation.ts';

/** A change that has one audit entry each: rows of ids, and the entries that are about them. `$1` are the companies. */
interface Reconciliation {
  readonly what: string;
  readonly rows: string;
  readonly entries: string;
}

const entriesOf = (event: string) => `select resource_id as id from audit_logs
  where outcome = 'success' and event = '${event}' and tenant_id = any($1)`;
const rowsOf = (table: string, where = 'true') => `select id::text as id from ${table} where tenant_id = any($1) and ${where}`;

const reconciliations: readonly Reconciliation[] = [
  // The people of the storm itself have been written without one.
  { what: 'users', rows: rowsOf('users', "email like '%@people.example'"), entries: entriesOf('user.create') },
  { what: 'contacts', rows: rowsOf('contacts'), entries: entriesOf('contact.create') },
  { what: 'campaigns', rows: rowsOf('campaigns'), entries: entriesOf('campaign.create') },
  { what: 'flags', rows: rowsOf('admin_feature_flags'), entries: entriesOf('flag.create') },
  {
    what: 'switches of flags',
    rows: "select flag_id::text as id from admin_flag_history where tenant_id = any($1) and change = 'toggled'",
    entries: entriesOf('flag.toggle'),
  },
  { what: 'activities', rows: rowsOf('admin_activities'), entries: entriesOf('activity.create') },
  { what: 'focus sessions', rows: rowsOf('admin_focus_sessions'), entries: entriesOf('focus_session.begin') },
  {
    what: 'ends of focus sessions',
    rows: rowsOf('admin_focus_sessions', 'ending is not null'),
    entries: `select resource_id as id from audit_logs where outcome = 'success' and tenant_id = any($1)
      and event in ('focus_session.complete', 'focus_session.interrupt', 'focus_session.expire')`,
  },
  { what: 'requests', rows: rowsOf('admin_approvals'), entries: entriesOf('approval.opened') },
  {
    what: 'transitions of requests',
    rows: "select approval_id || ' ' || event as id from admin_approval_history where tenant_id = any($1)",
    entries: `select resource_id || ' ' || substr(event, 10) as id from audit_logs
      where outcome = 'success' and tenant_id = any($1) and resource_type = 'approval' and event like 'approval.%'`,
  },
  { what: 'proposals', rows: rowsOf('admin_config_proposals'), entries: entriesOf('config.proposed') },
  {
    what: 'deployments',
    rows: rowsOf('admin_deployments'),
    entries: `select resource_id as id from audit_logs where outcome = 'success' and tenant_id = any($1)
      and event in ('deployment.rollout', 'deployment.rollback') and action = 'create'`,
  },
  { what: 'queues', rows: rowsOf('admin_queues'), entries: entriesOf('queue.register') },
  {
    what: 'operations on queues',
    rows: rowsOf('admin_queue_events'),
    entries: `select distinct new_values ->> 'event_id' as id from audit_logs
      where outcome = 'success' and tenant_id = any($1) and resource_type = 'queue' and new_values ->> 'event_id' is not null`,
  },
  { what: 'onboarding links', rows: rowsOf('onboarding_link'), entries: entriesOf('onboarding_link.create') },
  { what: 'memberships', rows: rowsOf('user_campaign_assignment'), entries: entriesOf('assignment.join-campaign') },
  {
    what: 'assigned contacts',
    rows: 'select contact_id::text as id from user_contact_assignment where tenant_id = any($1)',
    entries: entriesOf('contact.assign'),
  },
];

/** Every chain verifies, and each change has its entry and each entry its change. */
export async function checkAudit(history: StormHistory): Promise<Finding> {
  const found = new Findings(5);
  const ids = tenantIds(history);
  for (const id of ids) {
    const { findings } = await verifyChain(history.target.env.DATABASE_URL, id, { columns: true });
    for (const finding of findings) found.expect(false, 'a chain does not verify', () => `chain ${id}: ${JSON.stringify(finding)}`);
  }
  const chains = await history.db
    .selectFrom('audit_heads as h')
    .where('h.chain_id', 'in', ids)
    .select((eb) => [
      'h.chain_id',
      'h.size',
      eb.selectFrom('audit_logs as l').whereRef('l.chain_id', '=', 'h.chain_id').select(({ fn }) => fn.countAll<number>().as('n')).as('entries'),
    ])
    .execute();
  for (const chain of chains) found.expect(chain.size === Number(chain.entries), 'entries are missing', () => JSON.stringify(chain));
  found.figure('chains', chains.length);
  found.figure('entries', chains.reduce((sum, { entries }) => sum + Number(entries), 0));
  for (const { what, rows, entries } of reconciliations) {
    const [inRows, inAudit] = [await countsOf(history, rows), await countsOf(history, entries)];
    found.figure(what, [...inRows.values()].reduce((sum, n) => sum + n, 0));
    for (const id of new Set([...inRows.keys(), ...inAudit.keys()])) {
      const [row, entry] = [inRows.get(id) ?? 0, inAudit.get(id) ?? 0];
      found.expect(row <= entry, 'a change without its entry', () => `${what}: ${id} has ${row} rows and ${entry} entries`);
      found.expect(row >= entry, 'an entry without its change', () => `${what}: ${id} has ${row} rows and ${entry} entries`);
    }
  }
  return found.finding;
}

/** How often each id occurs. */
async function countsOf(history: StormHistory, statement: string): Promise<Map<string, number>> {
  const counted = `select id, count(*)::int as n from (${statement}) found group by 1`;
  const { rows } = await history.db.executeQuery<{ id: string; n: number }>(CompiledQuery.raw(counted, [tenantIds(history)]));
  return new Map(rows.map(({ id, n }) => [id, n]));
}
