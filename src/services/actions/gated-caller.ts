import type { Actor } from '../../domain/shared/actor.ts';
import type { UnitOfWork } from '../../platform/database/unit-of-work.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';

/** A caller whom a gate has let in, for services that choose between acting at once and asking for approval. */
export interface GatedCaller {
  readonly actor: Actor;
  /** The proof of the second factor; null where the gate asked for none. */
  readonly mfa: MfaProof | null;
  /** One transaction in the caller's name, which uses the proof up unless it was handed on. */
  readonly unitOfWork: UnitOfWork;
}
