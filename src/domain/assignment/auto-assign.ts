/** Version of the rule below; every assignment keeps the one it was made by. */
export const dealingRuleVersion = 1;

/** Why a member of a pool gets nothing dealt at the moment, the first that holds. Assigning by hand stays possible. */
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

/** A member of a campaign's pool as the rule sees it. */
export interface PoolMember {
  readonly user_id: string;
  /** Relative share, 1 to 10,000. */
  readonly weight: number;
  /** Contacts dealt so far, and the credit that stands for those which came before the member or while it was away. */
  readonly load: number;
  /** When the member was dealt to last, counted in deals of the pool; null: never. */
  readonly last_turn: number | null;
  readonly open_contacts: number;
  /** Null: no limit. */
  readonly max_open_contacts: number | null;
  readonly exclusion: ExclusionReason | null;
}

/** A member that could have been chosen. */
export interface DealCandidate {
  readonly user_id: string;
  readonly weight: number;
  readonly load: number;
  readonly last_turn: number | null;
  /** What the member's load would be after this deal if shares could be cut exactly. Thousandths. */
  readonly share: number;
  /** `share` less `load`. Thousandths. */
  readonly shortfall: number;
}

/** A member that could not be chosen, and why. */
export interface DealExclusion {
  readonly user_id: string;
  readonly reason: ExclusionReason;
}

/** Everything that a choice was made of; stored with the assignment, and enough to make the choice again. */
export interface DealReason {
  readonly rule_version: number;
  /** In the order of the rule: the first one was next. */
  readonly candidates: readonly DealCandidate[];
  readonly excluded: readonly DealExclusion[];
  /** The owner before, where the same one was asked for again. */
  readonly preferred_user_id: string | null;
  /** Null: nobody could take it, so the contact waits. */
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

/** The shortfall times the sum of all weights: whole, so that comparing is exact. */
function wholeShortfall({ weight, load }: Contender, totals: Totals): number {
  return (totals.load + 1) * weight - load * totals.weight;
}

/** Negative when `a` is dealt to before `b`: larger weighted shortfall, then less recently dealt to, then lower id. */
function compareContenders(a: Contender, b: Contender, totals: Totals): number {
  return (
    wholeShortfall(b, totals) - wholeShortfall(a, totals) ||
    (a.last_turn ?? 0) - (b.last_turn ?? 0) ||
    (a.user_id < b.user_id ? -1 : 1)
  );
}

/**
 * Chooses who gets the next contact (S3-40). `get_next_user_round_robin()` is the same rule in SQL, where one contact is
 * dealt in one statement; the two are compared by a property test.
 *
 * @param preferred a member who is taken before all others when nothing speaks against it (the owner before).
 */
export function chooseNext(members: readonly PoolMember[], preferred: string | null = null): DealReason {
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
    rule_version: dealingRuleVersion,
    candidates,
    excluded: members
      .flatMap(({ user_id, exclusion }) => (exclusion === null ? [] : [{ user_id, reason: exclusion }]))
      .toSorted((a, b) => (a.user_id < b.user_id ? -1 : 1)),
    preferred_user_id: preferred,
    chosen_user_id: pick(candidates, preferred),
  };
}

function pick(inOrder: readonly Contender[], preferred: string | null): string | null {
  const again = inOrder.find(({ user_id }) => user_id === preferred);
  return (again ?? inOrder[0])?.user_id ?? null;
}

/** Makes a stored choice again, from nothing but its own inputs. */
export function replayChoice(reason: Pick<DealReason, 'candidates' | 'preferred_user_id'>): string | null {
  const totals = totalsOf(reason.candidates);
  return pick(reason.candidates.toSorted((a, b) => compareContenders(a, b, totals)), reason.preferred_user_id);
}

/**
 * The load that makes a member owe nothing and be owed nothing beside the others: their average, by weight. Rounded up,
 * so that nobody who joins or comes back gets more than a fair share of what is dealt from then on.
 */
export function levelLoad(weight: number, totals: Totals): number {
  return totals.weight === 0 ? 0 : Math.ceil((totals.load * weight) / totals.weight);
}

/**
 * The pool after a deal. The chosen one has one more; those who could not be chosen are kept level with the others, so
 * that an absence, a full desk or a suspension builds up no backlog that would later flood them.
 */
export function afterDeal(members: readonly PoolMember[], reason: DealReason): PoolMember[] {
  if (reason.chosen_user_id === null) return [...members];
  const { load, weight } = totalsOf(reason.candidates);
  const totals = { load: load + 1, weight };
  const turn = Math.max(0, ...members.map(({ last_turn }) => last_turn ?? 0)) + 1;
  return members.map((member) => {
    if (member.user_id === reason.chosen_user_id) return dealtTo(member, turn);
    if (member.exclusion === null) return member;
    return { ...member, load: Math.max(member.load, levelLoad(member.weight, totals)) };
  });
}

function dealtTo(member: PoolMember, turn: number): PoolMember {
  const open_contacts = member.open_contacts + 1;
  const isFull = member.max_open_contacts !== null && open_contacts >= member.max_open_contacts;
  return { ...member, load: member.load + 1, last_turn: turn, open_contacts, exclusion: isFull ? 'full' : null };
}

/** One contact of a round. */
export interface DealItem {
  readonly contact_id: string;
  /** Who should have it again if possible. */
  readonly preferred_user_id: string | null;
}

/** What a round came to. */
export interface DealtRound {
  /** In the order of the items. */
  readonly deals: readonly { readonly contact_id: string; readonly reason: DealReason }[];
  readonly pool: readonly PoolMember[];
}

/** Deals one contact after the other: many at once get the owners that they would get one by one. */
export function assignRound(members: readonly PoolMember[], items: readonly DealItem[]): DealtRound {
  let pool = [...members];
  const deals = items.map(({ contact_id, preferred_user_id }) => {
    const reason = chooseNext(pool, preferred_user_id);
    pool = afterDeal(pool, reason);
    return { contact_id, reason };
  });
  return { deals, pool };
}
