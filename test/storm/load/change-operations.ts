import { plainFlag } from '../../support/drivers/approval.ts';
import { take } from './approval-operations.ts';
import type { Operation } from './command.ts';
import { newMarker } from './world.ts';
import type { KnownFlag } from './world.ts';

const environment = 'development' as const;

/** Changes of flags and configurations that need no approval. */
export const changeOperations: readonly Operation[] = [
  {
    name: 'create a flag',
    weight: 4,
    event: 'flag.create',
    effects: 'select key as marker, count(*)::int as n from admin_feature_flags where key = any($1) group by 1',
    plan: (tenant, random) => {
      const marker = newMarker();
      const body = { ...plainFlag, key: marker, environment };
      return { person: random.pick(tenant.admins), method: 'POST', path: '/admin/feature-flags', body, marker };
    },
    learn: (tenant, { marker }) => tenant.flags.push({ key: marker, environment, version: 1, enabled: false }),
  },
  {
    name: 'switch a flag',
    weight: 8,
    event: 'flag.toggle',
    effects: 'select reason as marker, count(*)::int as n from admin_flag_history where reason = any($1) group by 1',
    plan: (tenant, random) => {
      const flag = take(tenant.flags, random, (one) => one.environment === environment);
      if (flag === undefined) return null;
      const marker = newMarker();
      const body = { environment, enabled: !flag.enabled, version: flag.version, reason: marker };
      const path = `/admin/feature-flags/${flag.key}/toggle`;
      return { person: random.pick(tenant.admins), method: 'POST', path, body, marker, about: flag };
    },
    // Where the outcome is open the flag is left alone: its version is not known.
    learn: (tenant, { about }, { version, enabled }: { version: number; enabled: boolean }) => {
      tenant.flags.push({ ...(about as KnownFlag), version, enabled });
    },
  },
  {
    name: 'propose a configuration',
    weight: 4,
    event: 'config.proposed',
    effects: 'select reason as marker, count(*)::int as n from admin_config_proposals where reason = any($1) group by 1',
    // The deployment shows how far its rollout has come.
    answersPresentState: true,
    plan: (tenant, random) => {
      const marker = newMarker();
      const strategy = { kind: 'custom', stages: [{ percentage: 50, bake_seconds: 1 }, { percentage: 100, bake_seconds: 1 }] };
      const change = { environment, base_version: tenant.config_version, document: { marker }, schema: { type: 'object' }, plan: { strategy } };
      const body = { changes: [change], reason: marker };
      return { person: random.pick(tenant.admins), method: 'POST', path: '/admin/environment-config/proposals', body, marker };
    },
    learn: (tenant, _planned, body: { changes: { version: number }[] }) => {
      tenant.config_version = body.changes[0]?.version ?? null;
    },
  },
];
