import { sql } from 'kysely';
import { isOpenOnboarding } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingStatus } from '../../domain/onboarding/onboarding.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { newestFirst } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { readAll } from '../../platform/database/read.ts';
import type { ReadDeps, ReadScope, ReadSource } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';
import { openOnboardingQuery } from './onboarding-access.service.ts';
import { onboardingColumns } from './onboarding-link.repository.ts';

type Deps = ReadDeps;

/** Accesses that the detail of a link lists at most, the newest. */
const accessesListed = 100;

/** Actors who manage links see all of them. Others see their own, by row-level security, so nothing is opened (S3-46). */
const scopeQuery = ({ permissions }: Actor) =>
  permissions.includes('onboarding:manage') ? openOnboardingQuery : kysely.selectNoFrom(sql<number>`1`.as('own'));

function linksQuery() {
  return kysely.selectFrom('onboarding_link').select(onboardingColumns);
}

/** Which links a list holds; what is undefined does not narrow it. */
interface OnboardingLinkFilter {
  /** The effective status; see `effectiveOnboardingStatus`. */
  readonly status?: OnboardingStatus | undefined;
  readonly created_by?: string | undefined;
  readonly recipient_email?: string | undefined;
}

/** Reads a page of the links that the actor may see, newest first: one row more than the page. */
export async function loadOnboardingLinks(
  { db }: Deps,
  actor: Actor,
  { status, created_by, recipient_email, ...page }: OnboardingLinkFilter & Page,
) {
  const list = linksQuery()
    .where((eb) => eb.and({ created_by, recipient_email }))
    .$call(newestFirst(page));
  const filtered = status === undefined ? list : list.where(hasEffectiveStatus(status));
  const [, rows] = await readAll(db, actor, [scopeQuery(actor), filtered] as const);
  return rows;
}

/** The rule of `effectiveOnboardingStatus` in SQL. */
function hasEffectiveStatus(status: OnboardingStatus) {
  const isOpen = sql<boolean>`status in ('pending', 'opened', 'in_progress')`;
  if (status === 'expired') return sql<boolean>`(status = 'expired' or (${isOpen} and expires_at <= now()))`;
  if (!isOpenOnboarding(status)) return sql<boolean>`status = ${status}`;
  const effective = sql`case when status = 'pending' and first_accessed_at is not null then 'opened' else status end`;
  return sql<boolean>`(${isOpen} and expires_at > now() and ${effective} = ${status})`;
}

/** Reads one link. @throws Problem 404 when there is none that the actor may see. */
export async function loadOnboardingLink({ db }: Deps, actor: Actor, id: string) {
  const [, [row]] = await readAll(db, actor, [scopeQuery(actor), linksQuery().where('id', '=', id)] as const);
  if (row === undefined) throw notFound('onboarding link');
  return row;
}

/** What a request for a change of a link says of it, whoever of the tenant has created it: its requester may change any of them. */
export async function linkOfChange(db: ReadSource, scope: ReadScope, id: string) {
  const link = kysely.selectFrom('onboarding_link').where('id', '=', id).select(['recipient_name', 'created_by', 'outcome']);
  const [, [row]] = await readAll(db, scope, [openOnboardingQuery, link] as const);
  return row;
}

/** {@link loadOnboardingLink} with the newest accesses to the link. */
export async function loadOnboardingLinkDetail({ db }: Deps, actor: Actor, id: string) {
  const [, [row], accesses] = await readAll(db, actor, [
    scopeQuery(actor),
    linksQuery().where('id', '=', id),
    kysely
      .selectFrom('onboarding_link_access')
      .where('link_id', '=', id)
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(accessesListed)
      .select(['created_at as at', 'ip', 'user_agent', 'outcome']),
  ] as const);
  if (row === undefined) throw notFound('onboarding link');
  return { row, accesses };
}
