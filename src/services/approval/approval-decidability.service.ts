import { authorsOf, personRefusal } from '../../domain/approval/approval-independence.ts';
import type { PersonRefusal } from '../../domain/approval/approval-independence.ts';
import { isClosed, refusal } from '../../domain/approval/approval.ts';
import type { CountedApproval } from '../../domain/approval/approval.ts';
import type { ChangeDetail } from '../../domain/approval/approval-presentation.ts';
import type { ApprovalView } from '../../domain/approval/approval-presentation.ts';
import { isEligible } from '../../domain/approval/approval-policy.ts';
import type { EligiblePerson } from '../../domain/approval/approval-policy.ts';
import { Independence } from '../../domain/approval/independence.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { readAll } from '../../platform/database/read.ts';
import type { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { ChangeBasis } from '../actions/action.ts';
import { findAction } from '../actions/registry.ts';
import { actsBehindQuery, namesBehindQuery } from '../identity/account-act/account-act.queries.ts';
import { countsFromQuery } from '../identity/role/decider.queries.ts';
import { approvalOfRow, viewOfRow } from './approval-row.queries.ts';
import type { ApprovalRow } from './approval-row.queries.ts';
import { listedChange } from './approval-payload.repository.ts';
import type { StoredChange } from './approval-payload.repository.ts';
import { staleness } from './approval-staleness.service.ts';
import { candidateIdsQuery, candidatesQuery, deciders, rightsOfRows, rightsQuery } from './eligible-people.queries.ts';
import type { PersonRights } from './eligible-people.queries.ts';
import { mayStillAsk } from './people-facts.queries.ts';
import { explained, refusalFacts } from './refusal-explanation.service.ts';
import type { Because, RefusalFacts } from './refusal-explanation.service.ts';

/** A row of a list with what approvers read. */
export type ListedRow = ApprovalRow &
  StoredChange & {
    readonly approvals: CountedApproval[];
    readonly description: string | null;
    readonly changes: ChangeDetail[] | null;
  };

/** Whether the caller's approval would count now, and why not. Rejecting depends on less: what is stale can be rejected. */
export interface Decidability extends Omit<RefusalFacts, 'because'> {
  readonly allowed: boolean;
  readonly code: string | null;
  readonly detail: string | null;
  readonly because: Because | null;
}

/** A request as lists and details show it to one person. */
export interface ListedApproval extends ApprovalView {
  readonly description: string;
  readonly changes: readonly ChangeDetail[];
  readonly requested_by_name: string | null;
  /** The names of everybody whom the request mentions by id. */
  readonly names: Readonly<Record<string, string>>;
  readonly is_stale: boolean;
  readonly base_version: number | null;
  readonly current_version: number | null;
  /** Null once the request is closed. */
  readonly can_decide: Decidability | null;
}

/**
 * Presents requests to a person: with names, with whether they are stale, and with whether this person's approval would count
 * and why not (T-13, T-15). It costs one round trip for any number of requests.
 */
export async function listApprovals(
  { db, keyring }: Pick<ProcessDeps, 'db' | 'keyring'>,
  actor: Actor,
  rows: readonly ListedRow[],
): Promise<ListedApproval[]> {
  const open = rows.filter(({ status }) => !isClosed(status));
  const versioned = open.flatMap((row): { id: string; basis: ChangeBasis }[] => {
    const basis = listedChange(keyring, row)?.basis ?? null;
    return basis === null ? [] : [{ id: row.id, basis }];
  });
  const steps = open.flatMap(({ policy }) => policy.steps);
  const people = [...(actor.user_id === null ? [] : [actor.user_id]), ...rows.flatMap((row) => peopleOf(row))];
  const [candidates, acts, known, [self], requesters, ...present] = await readAll(db, actor, [
    candidatesQuery(steps),
    actsBehindQuery(people, candidateIdsQuery(steps)),
    namesBehindQuery(people),
    countsFromQuery(actor.user_id),
    rightsQuery(open.map(({ requested_by }) => requested_by)),
    ...versioned.map(({ basis }) => basis.query),
  ] as const);
  const names = new Map(known.map(({ id, full_name }) => [id, full_name]));
  const facts: CallerFacts = {
    independence: new Independence(acts),
    everybody: deciders(rightsOfRows(candidates)),
    counts_from: self?.decisions_count_from ?? null,
    requesters: new Map(rightsOfRows(requesters).map((person) => [person.user_id, person])),
  };
  const bases = new Map(versioned.map(({ id, basis }, index) => [id, { basis, present: present[index]?.[0] }]));
  return rows.map((row) => {
    const { description, changes } = row;
    const found = bases.get(row.id);
    const stale = found === undefined ? null : staleness(found.basis, found.present, row.basis_digest);
    return {
      ...viewOfRow(row),
      description: description ?? listedChange(keyring, row)?.description ?? findAction(row.action)?.title ?? row.action,
      changes: changes ?? [],
      requested_by_name: names.get(row.requested_by) ?? null,
      names: Object.fromEntries(peopleOf(row).flatMap((id) => (names.has(id) ? [[id, names.get(id) ?? '']] : []))),
      is_stale: stale !== null,
      base_version: found?.basis.base_version ?? null,
      current_version: found?.present?.version ?? null,
      can_decide: isClosed(row.status) ? null : decidability(refusalOf(actor, row, facts) ?? staleRefusal(stale), names),
    };
  });
}

function peopleOf(row: ListedRow): string[] {
  const voters = row.approvals.map(({ approver_id }) => approver_id);
  return [...new Set([...authorsOf(row), ...voters, ...(row.bypassed_by === null ? [] : [row.bypassed_by])])];
}

function decidability(refused: PersonRefusal | null, names: ReadonlyMap<string, string>): Decidability {
  if (refused === null) return { allowed: true, code: null, detail: null, because: null, needs: null, counts_from: null };
  const { because, needs, counts_from } = refusalFacts(refused);
  const { detail } = refused;
  const words = because === null ? { detail, because } : explained(detail, because, { needs, counts_from }, names);
  return { allowed: false, code: refused.code, ...words, needs, counts_from };
}

/** What is read once for all requests of a list. */
interface CallerFacts {
  readonly independence: Independence;
  readonly everybody: readonly EligiblePerson[];
  /** RFC 3339. */
  readonly counts_from: string | null;
  /** Those of the requesters who are active. */
  readonly requesters: ReadonlyMap<string, PersonRights>;
}

/** Why the caller's approval of an open request would not count, or null. */
function refusalOf(actor: Actor, row: ListedRow, { independence, everybody, counts_from, requesters }: CallerFacts): PersonRefusal | null {
  const { user_id } = actor;
  if (user_id === null) return machine;
  if (!actor.permissions.includes('approval:decide')) return noPermission;
  const approval = approvalOfRow(row, row.approvals);
  const command = { kind: 'approve', by: { user_id, roles: actor.roles }, digest: row.digest } as const;
  const facts = {
    independence,
    people: everybody.filter((person) => row.policy.steps.some((step) => isEligible(step, person))),
    counts_from: counts_from === null ? null : Date.parse(counts_from),
    requester_left: !mayStillAsk(row.action, requesters.get(row.requested_by)),
    rejected_at: null,
  };
  const now = Date.now();
  return refusal(approval, command, now) ?? personRefusal(approval, command, facts, now);
}

/** A stale request is refused as the transaction of the vote would refuse it: last. */
function staleRefusal(stale: Problem | null): PersonRefusal | null {
  return stale === null ? null : { code: stale.code, detail: stale.message };
}

const noPermission = { code: 'auth.forbidden', detail: 'This needs the permission approval:decide.' } as const;

/** R11: machines never decide. */
const machine = { code: 'auth.forbidden', detail: 'Approvals are for signed-in users.' } as const;
