/** Version of the rule below; every assignment stores the version that it was made by. */
const autoAssignRuleVersion = 1;

/** Why the rule does not choose a member, the first reason that holds. Assigning by hand stays possible. */
export const exclusionReasons = [
  'campaign_not_active',
  'former_owner',
  'inactive',
  'permission_expired',
  'excluded',
  'absent',
  'full',
] as const;
export type ExclusionReason = (typeof exclusionReasons)[number];

/** A member of a campaign's pool as the rule sees it. Open contacts are those that the member has in the campaign now. */
export interface PoolMember {
  readonly user_id: string;
  /** Relative share, 1 to 10,000. */
  readonly weight: number;
  /** Contacts assigned by the rule so far, plus the credit for those assigned before the member joined or while absent. */
  readonly load: number;
  /** Number of the pool's assignment in which the member was chosen last; null: never. */
  readonly last_turn: number | null;
  readonly open_contacts: number;
  /** Null: no limit. */
  readonly max_open_contacts: number | null;
  readonly exclusion: ExclusionReason | null;
}

/** A member that could have been chosen. */
export interface AutoAssignCandidate {
  readonly user_id: string;
  readonly weight: number;
  readonly load: number;
  readonly last_turn: number | null;
  /** The load that the member would have after this assignment if shares could be divided exactly; to three decimals. */
  readonly share: number;
  /** `share` less `load`; to three decimals. */
  readonly shortfall: number;
}

/** A member that could not be chosen, and why. */
export interface AutoAssignExclusion {
  readonly user_id: string;
  readonly reason: ExclusionReason;
}

/** The inputs of a choice and its result; stored with the assignment, and enough to repeat the choice. */
export interface AutoAssignReason {
  readonly rule_version: number;
  /** In the order of the rule: the first one was next. */
  readonly candidates: readonly AutoAssignCandidate[];
  readonly excluded: readonly AutoAssignExclusion[];
  /** The previous owner, where the request was to keep the owner. */
  readonly preferred_user_id: string | null;
  /** Null: nobody could be chosen, so the contact waits. */
  readonly chosen_user_id: string | null;
}

type Contender = Pick<PoolMember, 'user_id' | 'weight' | 'load' | 'last_turn'>;

interface Totals {
  readonly load: number;
  readonly weight: number;
}

function totalsOf(candidates: readonly Contender[]): Totals {
  return candidates.reduce(
    (sum, { load, weight }) => ({ load: sum.load + load, weight: sum.weight + weight }),
    { load: 0, weight: 0 },
  );
}

/** The shortfall times the sum of all weights: an integer, so that comparisons are exact. */
function wholeShortfall({ weight, load }: Contender, totals: Totals): number {
  return (totals.load + 1) * weight - load * totals.weight;
}

/** Negative when `a` comes before `b`: larger weighted shortfall, then chosen less recently, then lower id. */
function compareContenders(a: Contender, b: Contender, totals: Totals): number {
  return (
    wholeShortfall(b, totals) - wholeShortfall(a, totals) ||
    (a.last_turn ?? 0) - (b.last_turn ?? 0) ||
    (a.user_id < b.user_id ? -1 : 1)
  );
}

/**
 * Chooses who gets the next contact (S3-40). `get_next_user_round_robin()` is the same rule in SQL, used where one contact
 * is assigned in one statement; a test compares the two on random pools.
 *
 * @param preferred the previous owner, who is chosen before all others unless excluded.
 */
export function chooseNext(members: readonly PoolMember[], preferred: string | null = null): AutoAssignReason {
  const eligible = members.filter(({ exclusion }) => exclusion === null);
  const totals = totalsOf(eligible);
  const thousandths = (value: number) => Math.round(value * 1000) / 1000;
  const candidates = eligible
    .toSorted((a, b) => compareContenders(a, b, totals))
    .map((member) => ({
      user_id: member.user_id,
      weight: member.weight,
      load: member.load,
      last_turn: member.last_turn,
      share: thousandths(((totals.load + 1) * member.weight) / totals.weight),
      shortfall: thousandths(wholeShortfall(member, totals) / totals.weight),
    }));
  return {
    rule_version: autoAssignRuleVersion,
    candidates,
    excluded: members
      .flatMap(({ user_id, exclusion }) => (exclusion === null ? [] : [{ user_id, reason: exclusion }]))
      .toSorted((a, b) => (a.user_id < b.user_id ? -1 : 1)),
    preferred_user_id: preferred,
    chosen_user_id: pick(candidates, preferred),
  };
}

function pick(inOrder: readonly Contender[], preferred: string | null): string | null {
  const previous = inOrder.find(({ user_id }) => user_id === preferred);
  return (previous ?? inOrder[0])?.user_id ?? null;
}

/** Repeats a stored choice from its stored inputs alone. */
export function replayChoice(reason: Pick<AutoAssignReason, 'candidates' | 'preferred_user_id'>): string | null {
  const totals = totalsOf(reason.candidates);
  return pick(reason.candidates.toSorted((a, b) => compareContenders(a, b, totals)), reason.preferred_user_id);
}

/**
 * The load at which a member is neither ahead of nor behind the others: their average, by weight. Rounded up, so that
 * nobody who joins or returns gets more than a fair share of what is assigned from then on.
 */
export function levelLoad(weight: number, totals: Totals): number {
  return totals.weight === 0 ? 0 : Math.ceil((totals.load * weight) / totals.weight);
}

/**
 * The pool after an assignment. The chosen member has one contact more. The load of excluded members is raised to the
 * level of the others, so that an absence or a full capacity builds up no backlog that they would get at once later.
 */
function afterAssignment(members: readonly PoolMember[], reason: AutoAssignReason): PoolMember[] {
  if (reason.chosen_user_id === null) return [...members];
  const { load, weight } = totalsOf(reason.candidates);
  const totals = { load: load + 1, weight };
  const turn = Math.max(0, ...members.map(({ last_turn }) => last_turn ?? 0)) + 1;
  return members.map((member) => {
    if (member.user_id === reason.chosen_user_id) return withOneMore(member, turn);
    if (member.exclusion === null) return member;
    return { ...member, load: Math.max(member.load, levelLoad(member.weight, totals)) };
  });
}

function withOneMore(member: PoolMember, turn: number): PoolMember {
  const open_contacts = member.open_contacts + 1;
  const isFull = member.max_open_contacts !== null && open_contacts >= member.max_open_contacts;
  return { ...member, load: member.load + 1, last_turn: turn, open_contacts, exclusion: isFull ? 'full' : null };
}

/** One contact of a round. */
interface AutoAssignItem {
  readonly contact_id: string;
  /** The previous owner, where the owner is to be kept if possible. */
  readonly preferred_user_id: string | null;
}

/** The result of a round. */
interface AutoAssignRound {
  /** In the order of the items. */
  readonly assignments: readonly { readonly contact_id: string; readonly reason: AutoAssignReason }[];
  readonly pool: readonly PoolMember[];
}

/** Assigns one contact after the other, so that many at once get the owners that they would get one by one. */
export function assignRound(members: readonly PoolMember[], items: readonly AutoAssignItem[]): AutoAssignRound {
  let pool = [...members];
  const assignments = items.map(({ contact_id, preferred_user_id }) => {
    const reason = chooseNext(pool, preferred_user_id);
    pool = afterAssignment(pool, reason);
    return { contact_id, reason };
  });
  return { assignments, pool };
}
