import type { Client } from 'pg';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';

/** One row of every kind of thing that a route can name and the sample data has none of. By SQL: nothing is acted on. */
const seeds: readonly string[] = [
  `insert into notification_channels (tenant_id, name, kind, email, events, created_by)
   values ($1, 'Matrix', 'email', 'matrix@castellan.test', '{approval.opened}', $2)`,
  `insert into notification_deliveries (tenant_id, channel_id, kind, event, event_key, subject, body, payload)
   select $1, id, 'email', 'approval.opened', 'matrix', 'Matrix', 'Matrix', '{}' from notification_channels
   where created_by = $2`,
  `insert into admin_approval_payloads (tenant_id, digest, action, environment, payload)
   select $1, repeat('a', 64), 'flag.toggle', 'production', '{}' where $2::uuid is not null`,
  `insert into admin_approvals (id, tenant_id, action, environment, digest, requested_by, policy, review_due_at, workflow_id)
   values (gen_random_uuid(), $1, 'flag.toggle', 'production', repeat('a', 64), $2,
     '{"steps": [{"name": "review", "quorum": 1, "roles": ["role-super-admin"], "users": []}], "bypassers": [],
       "review_window_seconds": 3600, "execution_window_seconds": 3600, "reminder_interval_seconds": 0,
       "bypass_review_seconds": 3600}', now() + interval '1 day', 'matrix')`,
  `insert into admin_break_glass_reviews (tenant_id, kind, subject, user_id, reason, due_at)
   values ($1, 'emergency_off', 'matrix', $2, 'matrix', now() + interval '1 day')`,
  `insert into admin_feature_flags (tenant_id, key, environment, value_type, variants, on_variant, off_variant, updated_by)
   values ($1, 'matrix', 'development', 'boolean', '{"on": true, "off": false}', 'on', 'off', $2)`,
  `with proposal as (
     insert into admin_config_proposals (tenant_id, plans, reason, proposed_by)
     values ($1, '{"development": {"strategy": {"kind": "all_at_once", "bake_seconds": 0}, "guards": [],
       "check_interval_seconds": 30, "dry_run": false}}', 'matrix', $2)
     returning tenant_id, id, plans
   ), version as (
     insert into admin_config_versions (tenant_id, environment, config_version, proposal_id, position, schema, document, digest)
     select tenant_id, 'development', 1, id, 0, '{}', '{"limit": 1}', repeat('b', 64) from proposal
     returning tenant_id, proposal_id, digest
   ), slot as (
     insert into admin_environment_configs (tenant_id, environment, stable_version, last_version, ledger_hash)
     select tenant_id, 'development', 1, 1, repeat('0', 64) from version
   )
   insert into admin_deployments (tenant_id, environment, kind, batch_id, position, proposal_id, config_version, digest, plan,
     status, requested_by, ended_at)
   select version.tenant_id, 'development', 'rollout', gen_random_uuid(), 0, proposal_id, 1, digest, plans->'development',
     'succeeded', $2, now() from version, proposal`,
  `insert into admin_approval_policies (tenant_id, action, environment, gate, review_window_seconds,
     execution_window_seconds, reminder_interval_seconds, bypass_review_seconds, updated_by)
   values ($1, 'flag.toggle', 'development', 'mfa', 3600, 3600, 0, 3600, $2)`,
  `insert into admin_roles (tenant_id, code, name, permissions)
   select $1, 'matrix', 'Matrix', '{profile:read}' where $2::uuid is not null`,
  `insert into admin_goals (tenant_id, user_id, week_start) values ($1, $2, '2026-01-05')`,
  `insert into admin_activities (tenant_id, user_id, type, status, date) values ($1, $2, 'call', 'done', '2026-01-05')`,
  `insert into admin_tracker_vacations (tenant_id, user_id, starts_on, ends_on) values ($1, $2, '2026-01-05', '2026-01-06')`,
  `insert into admin_focus_sessions (tenant_id, user_id, start_time, due_at) values ($1, $2, now(), now() + interval '50 min')`,
  `insert into admin_nudges (tenant_id, user_id, type, message, rule, day, dedupe_key)
   values ($1, $2, 'reminder', 'matrix', 'follow-up-due', '2026-01-05', 'matrix')`,
  `insert into admin_meetings (tenant_id, user_id, title, type) values ($1, $2, 'matrix', 'demo')`,
  `with pipeline as (insert into admin_pipelines (tenant_id, name) values ($1, 'matrix') returning tenant_id, id),
   stage as (
     insert into admin_pipeline_stages (tenant_id, pipeline_id, name, position, probability)
     select tenant_id, id, 'matrix', 1, 50 from pipeline returning tenant_id, pipeline_id, id
   )
   insert into admin_prospects (tenant_id, user_id, pipeline_id, stage_id, name, probability)
   select tenant_id, $2, pipeline_id, id, 'matrix', 50 from stage`,
  `insert into campaigns (tenant_id, name, created_by) values ($1, 'Matrix', $2)`,
  `insert into contacts (tenant_id, name, created_by) values ($1, 'Matrix', $2)`,
  `insert into assignment_batches (tenant_id, kind, from_user_id, on_conflict, total) values ($1, 'hand_over', $2, 'skip', 0)`,
  `insert into service_tokens (tenant_id, name, token_hash, last4, permissions, created_by)
   values ($1, 'Matrix', decode(repeat('00', 32), 'hex'), '0000', '{flag:evaluate}', $2)`,
  `insert into admin_integrations (tenant_id, name, kind, environment, config, secret_ciphertext, secret_fingerprint, created_by)
   values ($1, 'Matrix', 'webhook_source', 'development', '{"kind": "webhook_source", "id_pointer": "/id"}', 'matrix', 'matrix', $2)`,
  `insert into admin_queues (tenant_id, name, provider, source_name, environment, created_by)
   values ($1, 'matrix', 'bullmq', 'matrix', 'staging', $2)`,
  `insert into onboarding_link (tenant_id, token_hash, token_last4, recipient_name, purpose, created_by, capabilities, timing,
     expires_at, max_expires_at)
   values ($1, decode(repeat('01', 32), 'hex'), 'last', 'Matrix', 'matrix', $2, '{complete}',
     '{"first_reminder_seconds": 3600, "reminder_interval_seconds": 3600, "max_reminders": 0, "warning_seconds": 3600}',
     now() + interval '1 day', now() + interval '90 days')`,
  `with threshold as (
     insert into admin_alert_thresholds (tenant_id, name, metric, comparator, threshold, clear_threshold, aggregate,
       window_seconds, for_seconds, severity, is_enabled)
     values ($1, 'Matrix', 'api.up', 'lt', 1, 1, 'avg', 0, 0, 'warning', false) returning tenant_id, id, name, metric, severity
   ), silence as (
     insert into admin_alert_silences (tenant_id, owner_id, reason, starts_at, ends_at)
     select tenant_id, $2, 'matrix', now(), now() + interval '1 hour' from threshold
   )
   insert into admin_alerts (tenant_id, threshold_id, name, metric, severity, status, fired_at, resolved_at, resolve_reason)
   select tenant_id, id, name, metric, severity, 'resolved', now(), now(), 'recovered' from threshold`,
];

/** Fills the sample tenant with one thing of each kind, in the name of the given person. */
export async function seedMatrix(admin: Client, userId: string): Promise<void> {
  for (const seed of seeds) await admin.query(seed, [defaultTenantId, userId]);
}
