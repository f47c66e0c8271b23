import type { Actor } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';

/** A caller whom a gate has let in, for services that choose between acting at once and asking for approval. */
export interface GatedCaller {
  readonly actor: Actor;
  /** The proof of the second factor; null where the gate asked for none. */
  readonly mfa: MfaProof | null;
  /** Another request with the same key has opened the request for approval; only its answer is repeated. */
  readonly isReplayed: boolean;
  /** The second factor is missing still: the request is only tried, and nothing of it is kept. */
  readonly isRehearsal: boolean;
  /** Checks, only while the second factor is missing, what a workflow would be refused for. */
  rehearse(work: (tx: Tx) => Promise<unknown>): Promise<void>;
  /** Makes the change of the request, whose answer is what `work` returns. */
  change(work: (tx: Tx) => Promise<unknown>): Promise<unknown>;
  /** Has a workflow make the change of the request. */
  throughWorkflow<Result>(
    send: (command: WorkflowCommand) => Promise<Result>,
    resultOfStored: (stored: unknown, commandId: string) => Result | Promise<Result>,
  ): Promise<Result>;
}
