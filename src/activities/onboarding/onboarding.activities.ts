import { systemActor } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';
import type { Notify } from '../../services/notification/notification-delivery.client.ts';
import { lockOnboardingLink } from '../../services/onboarding/onboarding-link.repository.ts';
import { creatorNotification, sendReminder } from '../../services/onboarding/onboarding-notification.service.ts';
import { sweepOnboarding } from '../../services/onboarding/onboarding-sweep.service.ts';
import {
  claimReminder,
  claimWarning,
  expireOnboarding,
  loadForWorkflow,
  markAnnounced,
  remindedLink,
} from '../../services/onboarding/onboarding-timer.service.ts';
import { onboardingLinkWorkflowId } from '../../workflows/onboarding/onboarding-link.contract.ts';
import type {
  OnboardingActivities,
  OnboardingAnnouncement,
  OnboardingLinkInput,
} from '../../workflows/onboarding/onboarding-link.contract.ts';
import type { OnboardingSweepActivities } from '../../workflows/onboarding/onboarding-sweep.contract.ts';
import type { ActivityDeps } from '../deps.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'mailer' | 'temporal'>;

/** The activities of `onboardingLinkWorkflow` and `onboardingSweepWorkflow`. */
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
    sendOnboardingReminder: (input) => asActivity(() => remind(deps, input)),
    announceOnboardingLink: (input) => asActivity(() => announce(deps, notify, input)),
    sweepOnboardingLinks: () => sweepOnboarding(deps),
  };
}

function actorOf(input: OnboardingLinkInput): Actor {
  return systemActor(input.tenant_id, { workflow_id: onboardingLinkWorkflowId(input) });
}

async function remind({ db, mailer }: Deps, input: OnboardingLinkInput): Promise<void> {
  const link = await unitOfWork(db, actorOf(input), (tx) => remindedLink(tx, input.link_id));
  if (link !== null) await sendReminder({ mailer }, link);
}

async function announce({ db, env }: Deps, notify: Notify, input: OnboardingAnnouncement): Promise<void> {
  const { news, extended_count, ...ref } = input;
  const actor = actorOf(ref);
  const link = await unitOfWork(db, actor, (tx) => lockOnboardingLink(tx, ref.link_id));
  await notify(actor, creatorNotification(link, input, env.PUBLIC_URL), [link.created_by]);
  await unitOfWork(db, actor, (tx) => markAnnounced(tx, ref.link_id, news, extended_count));
}
