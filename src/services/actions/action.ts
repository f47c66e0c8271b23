import { sql } from 'kysely';
import type { CompiledQuery } from 'kysely';
import type { z } from 'zod';
import { safeGate } from '../../domain/approval/approval-gate.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import { defaultIndependenceDays } from '../../domain/approval/approval-policy.ts';
import type { ApprovalPolicy } from '../../domain/approval/approval-policy.ts';
import type { ChangeDetail } from '../../domain/approval/approval-presentation.ts';
import type { ActorRef } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import { inputIssues, invalidInput } from '../../platform/input-issues.ts';
import { wordsOf } from '../../platform/input-words.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { ActAuthority } from '../identity/account-act/account-act.repository.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/** What allows a change: an approved request, a proof of the second factor, an emergency, or nothing. */
export type Authority =
  | {
      readonly kind: 'approval';
      readonly approval_id: string;
      /** Of the policy that the request was opened under. */
      readonly independence_days?: number | undefined;
    }
  | { readonly kind: 'mfa' }
  | { readonly kind: 'none' }
  | { readonly kind: 'emergency' };

/** The approved request behind an authority; null for what one person did alone. */
export function actAuthority(authority: Authority): ActAuthority | null {
  if (authority.kind !== 'approval') return null;
  const { approval_id, independence_days = defaultIndependenceDays } = authority;
  return { approval_id, independence_days };
}

/** What is there of what a change was built on. */
export interface BasisRow {
  readonly version: number | null;
  /** The values that the change replaces, of what is judged by those. */
  readonly touched?: JsonObject;
}

/** `touched` of a change that needs a row to be there, whatever is in it. */
export const onlyExistence = sql<JsonObject>`'{}'::jsonb`.as('touched');

/** The version that a change was built on, and what is there now. */
export interface ChangeBasis {
  /** Null for a change of what was not there. */
  readonly base_version: number | null;
  /**
   * `touched` where the version counts more than what the change replaces. Those values are frozen with a request, which is stale
   * only when they have changed: otherwise whoever is concerned could hold it up for ever by writing something else into the row
   * (R9). Which values these are stays as it is for an action: otherwise requests that are open would become stale with a release.
   * `version` where every new version makes the change another one.
   */
  readonly judged_by: 'touched' | 'version';
  /** Finds what is there; no row or no version where there is nothing. */
  readonly query: { compile(): CompiledQuery<BasisRow> };
  /** What an approver is told where the versions differ, if numbers would say nothing. */
  readonly detail?: string;
}

/** What approvers read of a change; frozen with the request (T-15). */
export interface ChangeText {
  /** One plain sentence with names beside or instead of ids. */
  readonly description: string;
  readonly changes: readonly ChangeDetail[];
}

/** What the gate of a change depends on besides its place, for the list of gates. */
export const gateConditions = ['decider', 'eligible', 'pair', 'rights', 'weaker', 'environment', 'rollback_target'] as const;

/** One of {@link gateConditions}. */
export type GateCondition = (typeof gateConditions)[number];

/** A change that would undo another one; it goes through its own gate like any change. */
export interface ActionRequest {
  readonly action: string;
  readonly payload: JsonObject;
}

/** Through what an after-effect starts workflows, and reads what it needs for that. */
export type AfterCommitDeps = Pick<ProcessDeps, 'db' | 'temporal' | 'log'>;

/** What a change may ask of others before its transaction. */
export type PrecheckDeps = Pick<ProcessDeps, 'outbound'>;

/** A change that is committed. */
export interface CommittedChange<Payload extends JsonObject = JsonObject> {
  /** In whose name it was made. */
  readonly actor: ActorRef;
  readonly payload: Payload;
  /** What `execute` returned. */
  readonly result: JsonObject;
  /** Names the change; the same whenever its after-effect is repeated. */
  readonly change_id: string;
  /** An earlier attempt has committed the change, and may have started already what follows it. */
  readonly isRepetition: boolean;
}

/**
 * A change that can be gated. Its file is the only writer of the rows it changes, whether it is called by a route
 * (gates `none` and `mfa`) or by the activity that executes an approved request (gate `approval`).
 */
interface ActionSpec<Payload extends JsonObject> {
  /** `resource.operation`, e.g. `flag.toggle`; part of the public interface. */
  readonly name: string;
  /** What it does, for the list of gates. */
  readonly title: string;
  /** The permission that its requester needs; null for what people ask for about their own account, which `check` holds. */
  readonly permission: Permission | null;
  /**
   * `password`: what somebody asks for who has lost the second factor. The password takes its place, at a route of its own, and
   * the request is opened by no other way. Default: `factor`.
   */
  readonly askedWith?: 'factor' | 'password';
  readonly payload: z.ZodType<Payload>;
  /** The payload holds a secret: it is encrypted at rest and never displayed; approvers see `describe`. */
  readonly secret?: boolean;
  /**
   * What the route of the change makes of what people send, and approvers do not see: a sealed secret, a hash. A request that is
   * opened or edited by its payload leaves it out.
   */
  readonly madeByRoute?: readonly (keyof Payload & string)[];
  readonly environment: (payload: Payload) => EnvironmentName | null;
  /** The weakest gate that a gate policy may give it; default: `none`. */
  readonly floor?: (environment: EnvironmentName | null) => GateLevel;
  /**
   * The gate that this very change needs because of what it touches, whatever is written (R4 to R6, R9). Read in the
   * caller's transaction, under `lockRights` where it decides.
   */
  readonly demands?: {
    readonly depends_on: readonly GateCondition[];
    readonly gate: (db: ReadSource, scope: ReadScope, payload: Payload) => Promise<GateLevel>;
  };
  /** The approval policy instead of the one that is written for the action: that of the gate which the change weakens. */
  readonly policy?: (db: ReadSource, scope: ReadScope, payload: Payload) => Promise<ApprovalPolicy | null>;
  /**
   * Who wrote what the payload only refers to and the change brings into force, such as a proposal: ids of users. They are
   * authors of its request like whoever asks for it (R1). Left out where the payload holds all that it carries, or refers to
   * what has passed a gate of its own already.
   */
  readonly writers?: (tx: Tx, payload: Payload) => Promise<string[]>;
  /** Tells whether the change is stale; undefined where nothing of it has a version. Judged by `touched`, the payload has a `version`. */
  readonly basis?: (payload: Payload) => ChangeBasis;
  /** No gate policy can be written for it: its gate follows from what it changes. */
  readonly isFixed?: boolean;
  /** May run without its gate in an emergency, which owes a review. */
  readonly emergency?: boolean;
  /** The gate where the tenant has no gate policy, in place of the general default. */
  readonly unwrittenGate?: GateLevel;
  readonly reason: (payload: Payload) => string | null;
  /** The payload without its reasons, where it holds others than `reason`. */
  readonly withoutReasons?: (payload: Payload) => JsonObject;
  /** What approvers read: one plain sentence. */
  readonly describe: (payload: Payload) => string;
  /** The same with names and with what is replaced; never a secret. Without it approvers read `describe` alone. */
  readonly present?: (db: ReadSource, scope: ReadScope, payload: Payload) => Promise<ChangeText>;
  /**
   * Refuses what others than the database tell, such as an address that may not be connected to. Asked before the transaction of
   * the change or of its request, however that is opened.
   */
  readonly precheck?: (deps: PrecheckDeps, payload: Payload) => Promise<void>;
  /** Refuses a change that could not be made now, before approvers are asked: a missing or stale resource. */
  readonly check: (tx: Tx, payload: Payload) => Promise<void>;
  /** Makes the change and audits it, inside the caller's transaction. @returns what `undo` and `afterCommit` need. */
  readonly execute: (tx: Tx, payload: Payload, authority: Authority) => Promise<JsonObject>;
  /** The change that restores what `execute` replaced, or null when there is no way back. */
  readonly undo: (payload: Payload, result: JsonObject) => ActionRequest | null;
  /**
   * Starts what follows the committed change: a function of the area's workflow client. After an approval it is tried
   * until it succeeds and may run more than once, so it must not start anything twice.
   */
  readonly afterCommit?: (deps: AfterCommitDeps, change: CommittedChange<Payload>) => Promise<void>;
}

/** An action with a validated payload. */
export interface PreparedAction {
  readonly action: Action;
  readonly payload: JsonObject;
  readonly environment: EnvironmentName | null;
  readonly reason: string | null;
  readonly description: string;
  readonly basis: ChangeBasis | null;
  /** The payload without its reasons: given with other words it is the same change. */
  readonly withoutReasons: JsonObject;
  /** The gate that this very change needs, whatever is written. */
  demandedGate(db: ReadSource, scope: ReadScope): Promise<GateLevel>;
  /** The approval policy that takes the place of the written one, or null. */
  policy(db: ReadSource, scope: ReadScope): Promise<ApprovalPolicy | null>;
  /** Who wrote what the payload refers to; see {@link ActionSpec.writers}. */
  writers(tx: Tx): Promise<string[]>;
  present(db: ReadSource, scope: ReadScope): Promise<ChangeText>;
  /** Call it before the transaction; see {@link ActionSpec.precheck}. */
  precheck(deps: PrecheckDeps): Promise<void>;
  check(tx: Tx): Promise<void>;
  /** Use `runAction` instead, which checks the authority first. */
  execute(tx: Tx, authority: Authority): Promise<JsonObject>;
  undo(result: JsonObject): ActionRequest | null;
  /**
   * The same change, to be checked and made on another version than the one that its payload names: what it touches has not
   * changed in between. Payload and digest stay those that were approved.
   */
  onVersion(version: number): PreparedAction;
  /** Starts what follows the committed change; see {@link ActionSpec.afterCommit}. */
  afterCommit(deps: AfterCommitDeps, change: Omit<CommittedChange, 'payload'>): Promise<void>;
}

/** An action as the registry holds it; only its own file knows the type of its payload. */
export interface Action {
  readonly name: string;
  readonly title: string;
  /** Null for what people ask for about their own account. */
  readonly permission: Permission | null;
  /** What its requester proves to open a request. */
  readonly askedWith: 'factor' | 'password';
  readonly payloadSchema: z.ZodType;
  readonly isSecret: boolean;
  readonly madeByRoute: readonly string[];
  readonly isEmergency: boolean;
  readonly isFixed: boolean;
  /** Whether something follows the committed change. */
  readonly hasFollowUp: boolean;
  /** What the gate depends on besides its place. */
  readonly dependsOn: readonly GateCondition[];
  floor(environment: EnvironmentName | null): GateLevel;
  /** The gate where the tenant has no gate policy. */
  safeGate(environment: EnvironmentName | null): GateLevel;
  /** Validates a payload. @throws Problem `request.invalid` with a pointer for every issue, below `prefix`. */
  prepare(payload: unknown, prefix?: string): PreparedAction;
}

/** Makes the action of a specification. */
export function defineAction<Payload extends JsonObject>(spec: ActionSpec<Payload>): Action {
  const action: Action = {
    name: spec.name,
    title: spec.title,
    permission: spec.permission,
    askedWith: spec.askedWith ?? 'factor',
    payloadSchema: spec.payload,
    isSecret: spec.secret ?? false,
    madeByRoute: spec.madeByRoute ?? [],
    isEmergency: spec.emergency ?? false,
    isFixed: spec.isFixed ?? false,
    hasFollowUp: spec.afterCommit !== undefined,
    dependsOn: spec.demands?.depends_on ?? [],
    floor: spec.floor ?? (() => 'none'),
    safeGate: (environment) => spec.unwrittenGate ?? (spec.emergency === true ? 'mfa' : safeGate(environment)),
    prepare: (given, prefix = '') => {
      const parsed = spec.payload.safeParse(given, { error: wordsOf });
      if (!parsed.success) throw invalidInput(inputIssues(prefix, parsed.error));
      const payload = parsed.data;
      const made = (current: Payload): Pick<PreparedAction, 'check' | 'execute'> => ({
        check: (tx) => spec.check(tx, current),
        execute: (tx, authority) => spec.execute(tx, current, authority),
      });
      const prepared: PreparedAction = {
        action,
        payload,
        environment: spec.environment(payload),
        reason: spec.reason(payload),
        description: spec.describe(payload),
        basis: spec.basis?.(payload) ?? null,
        withoutReasons: spec.withoutReasons?.(payload) ?? withoutReason(payload),
        demandedGate: async (db, scope) => (await spec.demands?.gate(db, scope, payload)) ?? 'none',
        policy: async (db, scope) => (await spec.policy?.(db, scope, payload)) ?? null,
        precheck: async (deps) => {
          await spec.precheck?.(deps, payload);
        },
        writers: async (tx) => (await spec.writers?.(tx, payload)) ?? [],
        present: async (db, scope) =>
          (await spec.present?.(db, scope, payload)) ?? { description: spec.describe(payload), changes: [] },
        ...made(payload),
        undo: (result) => spec.undo(payload, result),
        onVersion: (version) => ({ ...prepared, ...made({ ...payload, version }) }),
        afterCommit: async (deps, change) => spec.afterCommit?.(deps, { ...change, payload }),
      };
      return prepared;
    },
  };
  return action;
}

function withoutReason({ reason: _reason, ...change }: JsonObject): JsonObject {
  return change;
}
