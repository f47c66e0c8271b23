import fc from 'fast-check';
import type { OpenAct } from '../../../src/domain/approval/independence.ts';

/** Acts and people to try the rules of four eyes on. */

/** `made('ann', 'ben')`: Ann made the account of Ben. */
export const made = (actor_id: string, target_id: string, closes_at: string | null = null): OpenAct => ({
  ...{ id: `${actor_id}/${target_id}`, kind: 'create', created_at: '2026-05-03T00:00:00Z' },
  ...{ actor_id, target_id, closes_at },
});

export const few = ['a', 'b', 'c', 'd', 'e'] as const;

/** Acts among a few people, circles and acts on oneself included. */
export const actsAmong = (people: readonly string[], maxLength = 6): fc.Arbitrary<OpenAct[]> =>
  fc.array(
    fc
      .tuple(fc.constantFrom(...people), fc.constantFrom(...people), fc.constantFrom(null, null, '2026-06-01T00:00:00Z', '2026-07-01T00:00:00Z'))
      .map(([actor, target, closes_at]) => made(actor, target, closes_at)),
    { maxLength },
  );

/** Everybody behind an account, by repeating the definition until nothing is added. */
export function naiveBehind(acts: readonly OpenAct[], userId: string): Set<string> {
  const behind = new Set([userId]);
  for (let before = 0; before !== behind.size; ) {
    before = behind.size;
    for (const { actor_id, target_id } of acts) if (behind.has(target_id)) behind.add(actor_id);
  }
  return behind;
}

export function naiveApart(acts: readonly OpenAct[], one: string, other: string): boolean {
  const others = naiveBehind(acts, other);
  return ![...naiveBehind(acts, one)].some((id) => others.has(id));
}
