import type { z } from 'zod';
import { safeGate } from '../../domain/approval/approval-gate.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { ActorRef } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import { inputIssues, invalidInput } from '../../platform/input-issues.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/** What allows a change: an approved request, a proof of the second factor, an emergency, or nothing. */
export type Authority =
  | { readonly kind: 'approval'; readonly approval_id: string }
  | { readonly kind: 'mfa' }
  | { readonly kind: 'none' }
  | { readonly kind: 'emergency' };

/** A change that would undo another one; it goes through its own gate like any change. */
export interface ActionRequest {
  readonly action: string;
  readonly payload: JsonObject;
}

/** Through what an after-effect starts workflows, and reads what it needs for that. */
export type AfterCommitDeps = Pick<ProcessDeps, 'db' | 'temporal' | 'log'>;

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
  /** The permission that its requester needs. */
  readonly permission: Permission;
  readonly payload: z.ZodType<Payload>;
  /** The payload holds a secret: it is encrypted at rest and never displayed; approvers see `describe`. */
  readonly secret?: boolean;
  readonly environment: (payload: Payload) => EnvironmentName | null;
  /** The weakest gate that a gate policy may give it; default: `none`. */
  readonly floor?: (environment: EnvironmentName | null) => GateLevel;
  /** May run without its gate in an emergency, which owes a review. */
  readonly emergency?: boolean;
  /** The gate where the tenant has no gate policy, in place of the general default. */
  readonly unwrittenGate?: GateLevel;
  readonly reason: (payload: Payload) => string | null;
  /** What approvers read: one plain sentence. */
  readonly describe: (payload: Payload) => string;
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
  check(tx: Tx): Promise<void>;
  /** Use `runAction` instead, which checks the authority first. */
  execute(tx: Tx, authority: Authority): Promise<JsonObject>;
  undo(result: JsonObject): ActionRequest | null;
  /** Starts what follows the committed change; see {@link ActionSpec.afterCommit}. */
  afterCommit(deps: AfterCommitDeps, change: Omit<CommittedChange, 'payload'>): Promise<void>;
}

/** An action as the registry holds it; only its own file knows the type of its payload. */
export interface Action {
  readonly name: string;
  readonly title: string;
  readonly permission: Permission;
  readonly payloadSchema: z.ZodType;
  readonly isSecret: boolean;
  readonly isEmergency: boolean;
  /** Whether something follows the committed change. */
  readonly hasFollowUp: boolean;
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
    payloadSchema: spec.payload,
    isSecret: spec.secret ?? false,
    isEmergency: spec.emergency ?? false,
    hasFollowUp: spec.afterCommit !== undefined,
    floor: spec.floor ?? (() => 'none'),
    safeGate: (environment) => spec.unwrittenGate ?? (spec.emergency === true ? 'mfa' : safeGate(environment)),
    prepare: (given, prefix = '') => {
      const parsed = spec.payload.safeParse(given);
      if (!parsed.success) throw invalidInput(inputIssues(prefix, parsed.error));
      const payload = parsed.data;
      return {
        action,
        payload,
        environment: spec.environment(payload),
        reason: spec.reason(payload),
        description: spec.describe(payload),
        check: (tx) => spec.check(tx, payload),
        execute: (tx, authority) => spec.execute(tx, payload, authority),
        undo: (result) => spec.undo(payload, result),
        afterCommit: async (deps, change) => spec.afterCommit?.(deps, { ...change, payload }),
      };
    },
  };
  return action;
}
