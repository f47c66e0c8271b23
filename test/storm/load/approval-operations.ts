import { plainFlag } from '../../support/drivers/approval.ts';
import type { Random } from '../random.ts';
import type { Operation, Planned } from './command.ts';
import { newMarker } from './world.ts';
import type { OpenRequest, StormPerson, StormTenant } from './world.ts';

/** So many requests of a company wait at most; decisions keep pace with them. */
const maxOpen = 25;

/** Requests count by their reason, which every row of them has. */
const openedRequests = 'select reason as marker, count(*)::int as n from admin_approvals where reason = any($1) group by 1';
const decisions = `select reason as marker, count(*)::int as n from admin_approval_decisions where reason = any($1) group by 1`;
const cancellations = `select reason as marker, count(*)::int as n from admin_approval_history
  where event = 'cancel' and reason = any($1) group by 1`;

/** Takes one out, so that no other caller uses it meanwhile. */
export function take<One>(from: One[], random: Random, fits: (one: One) => boolean = () => true): One | undefined {
  const fitting = from.filter(fits);
  if (fitting.length === 0) return undefined;
  const one = random.pick(fitting);
  from.splice(from.indexOf(one), 1);
  return one;
}

/** A request that was opened about a flag, for others to decide on. */
function opened(tenant: StormTenant, { person, about }: Planned, { id, digest }: { id: string; digest: string }): void {
  tenant.requests.push({ id, digest, requester: person, flag: about });
}

function decision(
  name: string,
  weight: number,
  verb: 'approve' | 'reject' | 'cancel',
  by: (tenant: StormTenant, random: Random, request: OpenRequest) => StormPerson,
): Operation {
  return {
    name,
    weight,
    isApproval: true,
    event: `approval.${verb}`,
    effects: verb === 'cancel' ? cancellations : decisions,
    plan: (tenant, random) => {
      const request = take(tenant.requests, random);
      if (request === undefined) return null;
      const marker = newMarker();
      const body = { ...(verb === 'cancel' ? {} : { digest: request.digest }), reason: marker };
      const path = `/admin/approvals/${request.id}/${verb}`;
      return { person: by(tenant, random, request), method: 'POST', path, body, marker, about: request };
    },
    // What the flag will be once the change is made; whether it was made yet, the refusal of a too early request tells.
    learn: (tenant, { about }, { status }: { status: string }) => {
      if (status === 'approved') tenant.flags.push((about as OpenRequest).flag);
    },
  };
}

const other = (tenant: StormTenant, random: Random, { requester }: OpenRequest) =>
  random.pick(tenant.admins.filter(({ user_id }) => user_id !== requester.user_id));

/** Requests for changes in production, and what people say to them. */
export const approvalOperations: readonly Operation[] = [
  {
    name: 'ask for a production flag',
    weight: 10,
    isApproval: true,
    event: 'approval.opened',
    effects: openedRequests,
    plan: (tenant, random) => {
      if (tenant.requests.length >= maxOpen) return null;
      const marker = newMarker();
      const body = { ...plainFlag, key: marker, environment: 'production', reason: marker };
      const about = { key: marker, environment: 'production', version: 1, enabled: false };
      return { person: random.pick(tenant.admins), method: 'POST', path: '/admin/feature-flags', body, marker, about };
    },
    learn: opened,
  },
  {
    name: 'ask to switch a production flag',
    weight: 5,
    isApproval: true,
    event: 'approval.opened',
    effects: openedRequests,
    plan: (tenant, random) => {
      const flag = take(tenant.flags, random, ({ environment }) => environment === 'production');
      if (flag === undefined) return null;
      const marker = newMarker();
      const body = { environment: 'production', enabled: !flag.enabled, version: flag.version, reason: marker };
      const path = `/admin/feature-flags/${flag.key}/toggle`;
      const about = { ...flag, version: flag.version + 1, enabled: !flag.enabled };
      return { person: random.pick(tenant.admins), method: 'POST', path, body, marker, about };
    },
    learn: opened,
  },
  decision('approve a request', 10, 'approve', other),
  decision('reject a request', 2, 'reject', other),
  decision('cancel a request', 2, 'cancel', (_tenant, _random, { requester }) => requester),
];
