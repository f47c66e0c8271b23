/**
 * Something that somebody did to another person's account, by which they may have got hold of it (four eyes, T-7, T-8):
 *
 * - `create`: made the account, or the link or invitation it came from;
 * - `grant`: gave it a role that decides, or raised a role that it holds so that it now decides;
 * - `address`: changed its e-mail address or phone number;
 * - `identity`: let an external account sign it in;
 * - `activate`: made an inactive account active again.
 *
 * Acts on oneself, taking rights away, ending sessions and profile texts are none.
 */
export const accountActKinds = ['create', 'grant', 'address', 'identity', 'activate'] as const;

/** One of {@link accountActKinds}. */
export type AccountActKind = (typeof accountActKinds)[number];

/** An act that is open: neither confirmed by somebody else, nor carried out by an approved request that has aged out. */
export interface OpenAct {
  readonly id: string;
  /** The account. */
  readonly target_id: string;
  /** Who did it. */
  readonly actor_id: string;
  readonly kind: AccountActKind;
  /** RFC 3339. */
  readonly created_at: string;
  /** When it closes by itself: only what an approved request has carried out ages out (R3). RFC 3339. */
  readonly closes_at: string | null;
}

/** Why two accounts do not count apart. */
export interface Tie {
  /** The person who stands behind both; may be one of the two. */
  readonly person_id: string;
  /** The latest act that ties them: on one of the two, or on the way to it. */
  readonly act: OpenAct;
}

/**
 * Who stands behind whom: behind an account stand the account itself, whoever has an open act on it, whoever has one on
 * those, and so on. Directed, so that routine work on one junior's account does not tie the administrators together.
 */
export class Independence {
  readonly #acts: readonly OpenAct[];
  readonly #actsOn: Map<string, OpenAct[]>;
  readonly #behind = new Map<string, ReadonlyMap<string, readonly OpenAct[]>>();

  /** @param acts all open acts on the accounts in question and on whoever stands behind them. */
  constructor(acts: readonly OpenAct[]) {
    this.#acts = acts;
    this.#actsOn = Map.groupBy(acts, ({ target_id }) => target_id);
  }

  /** Everybody who stands behind an account, itself included. */
  behind(userId: string): ReadonlySet<string> {
    return new Set(this.#paths(userId).keys());
  }

  /** True when nobody stands behind both; one account is never apart from itself. */
  areApart(one: string, other: string): boolean {
    return one !== other && this.tie(one, other) === null;
  }

  /** What ties two different accounts together, or null when they are apart. */
  tie(one: string, other: string): Tie | null {
    const [paths, others] = [this.#paths(one), this.#paths(other)];
    for (const [person_id, path] of paths) {
      const back = others.get(person_id);
      if (back === undefined) continue;
      const act = path[0] ?? back[0];
      if (act !== undefined) return { person_id, act };
    }
    return null;
  }

  /** True when an account is none of some others and apart from each of them. */
  isApartFromAll(userId: string, others: Iterable<string>): boolean {
    for (const other of others) {
      if (!this.areApart(userId, other)) return false;
    }
    return true;
  }

  /** Who stands behind whom once the acts that close by then are closed; null for all that ever close. */
  after(time: string | null): Independence {
    return new Independence(
      this.#acts.filter(({ closes_at }) => closes_at === null || (time !== null && Date.parse(closes_at) > Date.parse(time))),
    );
  }

  /** When an account will be apart from some others, if only time passes (RFC 3339); null for never. */
  apartFrom(userId: string, others: readonly string[]): string | null {
    const times = [...new Set(this.#acts.flatMap(({ closes_at }) => (closes_at === null ? [] : [closes_at])))];
    const inOrder = times.toSorted((one, other) => Date.parse(one) - Date.parse(other));
    return inOrder.find((time) => this.after(time).isApartFromAll(userId, others)) ?? null;
  }

  /** Everybody behind an account, nearest first, with the acts that lead there. */
  #paths(userId: string): ReadonlyMap<string, readonly OpenAct[]> {
    const known = this.#behind.get(userId);
    if (known !== undefined) return known;
    const paths = new Map<string, readonly OpenAct[]>([[userId, []]]);
    // A map yields what is added while it is walked, so this is a breadth-first search.
    for (const [id, path] of paths) {
      for (const act of this.#actsOn.get(id) ?? []) {
        if (!paths.has(act.actor_id)) paths.set(act.actor_id, [...path, act]);
      }
    }
    this.#behind.set(userId, paths);
    return paths;
  }
}

/** True when two of some people are apart from one another; of administrators, that the tenant has a pair. */
export function hasPair(people: readonly string[], independence: Independence): boolean {
  return pairOf(people, independence) !== null;
}

/** True when there is a pair, and none any more as soon as a certain one of these people leaves. */
export function isLastPair(people: readonly string[], independence: Independence): boolean {
  const pair = pairOf(people, independence);
  if (pair === null) return false;
  // Only somebody who is in every pair can end all of them by leaving, and so is in this one, too.
  return pair.some((leaver) => !hasPair(people.filter((id) => id !== leaver), independence));
}

/** Two who are apart, or null when no two are. */
function pairOf(people: readonly string[], independence: Independence): readonly [string, string] | null {
  for (const [index, one] of people.entries()) {
    const other = people.slice(index + 1).find((candidate) => independence.areApart(one, candidate));
    if (other !== undefined) return [one, other];
  }
  return null;
}
