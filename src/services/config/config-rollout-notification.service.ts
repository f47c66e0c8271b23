import type { Actor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { RolloutNotification } from '../../workflows/config/config-rollout.contract.ts';
import type { Notify } from '../notification/notification-delivery.client.ts';

const headlines = {
  held: 'A rollout waits for your decision: its guards are unknown',
  restored: 'A rollout was reverted by its guards; the previous version runs everywhere',
  succeeded: 'A configuration was rolled out',
  aborted: 'A rollout was aborted; the previous version runs everywhere',
} as const satisfies Record<RolloutNotification, string>;

/** The state that people are notified of, and at which step of which deployment it was reached. */
interface RolloutNews {
  readonly deployment_id: string;
  readonly news: RolloutNotification;
  readonly step: number;
}

/** Notifies whoever asked for the rollout, and every channel that listens. The same step is notified of once. */
export async function notifyOfRollout(
  { db, notify }: Pick<ProcessDeps, 'db'> & { readonly notify: Notify },
  actor: Actor,
  { deployment_id, news, step }: RolloutNews,
): Promise<void> {
  const [row] = await read(
    db,
    actor,
    kysely
      .selectFrom('admin_deployments')
      .where('id', '=', deployment_id)
      .select(['environment', 'config_version', 'requested_by', 'stage', 'digest']),
  );
  if (row === undefined) throw notFound('deployment');
  const { environment, config_version, digest, requested_by, stage } = row;
  const headline = headlines[news];
  await notify(
    actor,
    {
      event: `config.${news}`,
      event_key: `deployment/${deployment_id}/${news}/${step}`,
      subject: `${headline} (${environment})`,
      text: `${headline}.\n\nDeployment ${deployment_id} of version ${config_version} in ${environment}, stage ${stage + 1}.`,
      data: { deployment_id, environment, config_version, digest, stage, news },
    },
    requested_by === null ? [] : [requested_by],
  );
}
