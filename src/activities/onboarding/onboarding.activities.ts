import { sql } from 'kysely';
import {
  loadForWorkflow,
  claimReminder,
  claimWarning,
  expireOnboarding,
  markAnnounced,
  remindedLink,
} from '../../services/onboarding/onboarding-timer.service.ts';
import { lockOnboardingLink } from '../../services/onboarding/onboarding-link.repository.ts';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { notificationKey } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingNotification } from '../../domain/onboarding/onboarding.ts';
import { query } from '../../entities/kysely-schema.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import {
  onboardingLinkStartOptions,
  onboardingLinkWorkflowId,
  onboardingLinkWorkflowType,
} from '../../workflows/onboarding/onboarding-link.contract.ts';
import type {
  OnboardingActivities,
  OnboardingAnnouncement,
  OnboardingLinkInput,
} from '../../workflows/onboarding/onboarding-link.contract.ts';
import type { OnboardingSweepActivities, OnboardingSweepResult } from '../../workflows/onboarding/onboarding-sweep.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';
import type { Notify } from '../../services/notification/notification-delivery.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'mailer' | 'temporal'>;

/** Links that one sweep looks after at most. */
const maxSwept = 1_000;

/** The hands of the workflow of an onboarding link, and of the sweep. */
export function createOnboardingActivities(deps: Deps): OnboardingActivities & OnboardingSweepActivities {
  const { db } = deps;
  const notify = createNotify(deps);
  return {
    attendOnboardingLink: (input) => unitOfWork(db, actorOf(input), (tx) => loadForWorkflow(tx, input.link_id)),
    expireOnboardingLink: async ({ at, ...input }) => {
      const expired = await unitOfWork(db, actorOf(input), (tx) => expireOnboarding(tx, { id: input.link_id, at }));
      return expired.length > 0;
    },
    claimOnboardingWarning: ({ at, ...input }) => unitOfWork(db, actorOf(input), (tx) => claimWarning(tx, input.link_id, at)),
    claimOnboardingReminder: ({ at, reminder_count, ...input }) =>
      unitOfWork(db, actorOf(input), (tx) => claimReminder(tx, input.link_id, reminder_count, at)),
    sendOnboardingReminder: (input) => asActivity(() => sendReminder(deps, input)),
    announceOnboardingLink: (input) => asActivity(() => announce(deps, notify, input)),
    sweepOnboardingLinks: () => sweep(deps),
  };
}

function actorOf(input: OnboardingLinkInput): Actor {
  return systemActor(input.tenant_id, { workflow_id: onboardingLinkWorkflowId(input) });
}

/** Reminds the newcomer. The link itself cannot be sent again: nobody but its holder knows it. */
async function sendReminder({ db, mailer }: Deps, input: OnboardingLinkInput): Promise<void> {
  const link = await unitOfWork(db, actorOf(input), (tx) => remindedLink(tx, input.link_id));
  if (link === null) return;
  const { recipient_email, recipient_name, purpose, expires_at } = link;
  await mailer.send({
    to: recipient_email,
    subject: `Reminder: ${purpose}`,
    text:
      `Hello ${recipient_name},\n\nyour onboarding (${purpose}) is not completed yet. Please open the link that you were ` +
      `sent; it can be used until ${expires_at}.\n\nIf you no longer have it, ask whoever sent it to you for another one.\n`,
  });
}

const headlines = {
  opened: 'An onboarding link was opened for the first time',
  completed: 'An onboarding was completed',
  expiring: 'An onboarding link is about to expire; extend it if it is still needed',
  expired: 'An onboarding link has expired; extending it lets its holder go on',
} as const satisfies Record<OnboardingNotification, string>;

/** Tells whoever made the link. Nothing personal is in the news: it passes through channels of many kinds. */
async function announce({ db, env }: Deps, notify: Notify, input: OnboardingAnnouncement): Promise<void> {
  const { news, extended_count, ...ref } = input;
  const actor = actorOf(ref);
  const link = await unitOfWork(db, actor, (tx) => lockOnboardingLink(tx, ref.link_id));
  const { created_by, expires_at, outcome } = link;
  const roles_waiting = outcome?.roles_waiting.length ?? 0;
  const waiting =
    roles_waiting === 0
      ? ''
      : '\n\nRoles of the new account wait for an approval: ask for it with the action onboarding.grant-roles.';
  const url = new URL(`/api/admin/onboarding/link/${ref.link_id}`, env.PUBLIC_URL).href;
  await notify(
    actor,
    {
      event: `onboarding.${news}`,
      event_key: `onboarding/${ref.link_id}/${notificationKey(news, extended_count)}`,
      subject: headlines[news],
      text: `${headlines[news]}.\n\nLink ${ref.link_id}, valid until ${expires_at}.${waiting}\n\n${url}`,
      data: { link_id: ref.link_id, news, expires_at, roles_waiting },
    },
    [created_by],
  );
  await unitOfWork(db, actor, (tx) => markAnnounced(tx, ref.link_id, news, extended_count));
}

/** Expires what is past its time and tells the workflows of links that have changed since they looked. */
async function sweep({ db, temporal }: Deps): Promise<OnboardingSweepResult> {
  const statement = sql<OnboardingLinkInput & { is_overdue: boolean }>`select * from onboarding_links_due(${maxSwept})`;
  const nobody = systemActor(defaultTenantId);
  const due = await read(db, nobody, { compile: () => statement.compile(query) });
  let expired = 0;
  for (const tenantId of new Set(due.filter(({ is_overdue }) => is_overdue).map(({ tenant_id }) => tenant_id))) {
    const actor = systemActor(tenantId, { workflow_id: 'onboarding-sweep' });
    expired += (await unitOfWork(db, actor, (tx) => expireOnboarding(tx, null))).length;
  }
  for (const { tenant_id, link_id } of due) {
    await temporal.call((client) =>
      client.workflow.signalWithStart(onboardingLinkWorkflowType, {
        ...onboardingLinkStartOptions({ tenant_id, link_id }),
        taskQueue: temporal.taskQueue,
      }),
    );
  }
  return { expired, told: due.length };
}
