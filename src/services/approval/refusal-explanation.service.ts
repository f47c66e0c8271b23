import type { PersonRefusal, VoteNeed } from '../../domain/approval/approval-independence.ts';
import type { AccountActKind } from '../../domain/approval/independence.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { Problem } from '../../platform/problem.ts';
import { userNames } from '../identity/user-names.queries.ts';

/** The act because of which somebody does not count, by ids: this is what workflows may carry. */
interface BecauseIds {
  readonly kind: AccountActKind;
  readonly actor_id: string;
  readonly target_id: string;
  /** RFC 3339. */
  readonly at: string;
  /** Nobody else has approved it, so it does not age out. */
  readonly is_alone: boolean;
}

/** The same for people. */
export interface Because extends BecauseIds {
  readonly actor_name: string | null;
  readonly target_name: string | null;
}

/** What a refusal of a person says besides its words. */
export interface RefusalFacts {
  readonly because: BecauseIds | null;
  readonly needs: VoteNeed | null;
  readonly counts_from: string | null;
}

/** The members of a refusal. */
export function refusalFacts({ tie, needs, counts_from }: PersonRefusal): RefusalFacts {
  const act = tie?.act;
  const because =
    act === undefined
      ? null
      : { kind: act.kind, actor_id: act.actor_id, target_id: act.target_id, at: act.created_at, is_alone: act.closes_at === null };
  return { because, needs: needs ?? null, counts_from: counts_from ?? null };
}

/** A refusal of a person as a problem, without names: it may pass through a workflow. */
export function personProblem(refused: PersonRefusal): Problem {
  const facts = Object.entries(refusalFacts(refused)).filter(([, value]) => value !== null);
  return new Problem({ code: refused.code, detail: refused.detail, members: Object.fromEntries(facts) });
}

const deeds: Readonly<Record<AccountActKind, string>> = {
  create: 'made the account of',
  grant: 'gave the right to decide to',
  address: 'changed an address of',
  identity: 'let an external account sign in as',
  activate: 'activated the account of',
};

/** What ties two people together, in words, with names. */
function becauseInWords(because: BecauseIds, names: ReadonlyMap<string, string>): string {
  const { kind, actor_id, target_id, at, is_alone } = because;
  const [actor, target] = [names.get(actor_id) ?? actor_id, names.get(target_id) ?? target_id];
  return `${actor} ${deeds[kind]} ${target} on ${at.slice(0, 10)}${is_alone ? ', alone' : ''}`;
}

/** What would make it count, in words. */
function remedyInWords({ needs, counts_from }: Pick<RefusalFacts, 'needs' | 'counts_from'>): string {
  if (needs === 'confirmation') return ' It counts once somebody else has confirmed the account.';
  return counts_from === null ? '' : ` It counts from ${counts_from}.`;
}

/** A refusal with the names of those whom an act ties together, in its words and in its members. */
export function explained(
  detail: string,
  because: BecauseIds,
  remedy: Pick<RefusalFacts, 'needs' | 'counts_from'>,
  names: ReadonlyMap<string, string>,
): { readonly detail: string; readonly because: Because } {
  return {
    detail: `${detail} ${becauseInWords(because, names)}.${remedyInWords(remedy)}`,
    because: {
      ...because,
      actor_name: names.get(because.actor_id) ?? null,
      target_name: names.get(because.target_id) ?? null,
    },
  };
}

function isBecause(value: unknown): value is BecauseIds {
  return typeof value === 'object' && value !== null && 'actor_id' in value && 'target_id' in value;
}

/** A problem that came back from a workflow, with the names that it may not carry there. */
export async function withNames(db: ReadSource, scope: ReadScope, problem: Problem): Promise<Problem> {
  const { because, needs = null, counts_from = null } = problem.members;
  if (!isBecause(because)) return problem;
  const names = await userNames(db, scope, [because.actor_id, because.target_id]);
  const facts = { needs: needs as VoteNeed | null, counts_from: counts_from as string | null };
  const named = explained(problem.message, because, facts, names);
  return new Problem({
    code: problem.code,
    detail: named.detail,
    members: { ...problem.members, because: named.because },
    cause: problem,
  });
}
