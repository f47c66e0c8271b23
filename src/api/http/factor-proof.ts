import type { ParameterizedContext } from 'koa';
import type { Actor } from '../../domain/shared/actor.ts';
import { payloadDigest } from '../../platform/security/digest.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';
import { Problem } from '../../platform/problem.ts';
import type { ApiDeps } from '../deps.ts';
import type { RequestState } from './request-context.ts';
import type { Route } from './route.ts';
import type { Gate, Input } from './route-description.ts';

/** What a route has parsed of its request. */
export type RouteInput = Input<Record<string, string>, Record<string, unknown>, unknown>;

/** The proof of the second factor that a request has brought. */
export class RouteProof implements MfaProof {
  readonly challenge_id: string;
  #spent = false;

  constructor(challengeId: string) {
    this.challenge_id = challengeId;
  }

  delegate(): string {
    this.#spent = true;
    return this.challenge_id;
  }

  /** True once the transaction of the change, or a workflow, has it. */
  get spent(): boolean {
    return this.#spent;
  }
}

/** Stands for the proof of a command that was carried out before, or is only tried: there is nothing to consume. */
export function spentProof(): RouteProof {
  const proof = new RouteProof('');
  proof.delegate();
  return proof;
}

/** The name under which a factor proof is asked for: the action of a policy gate, else the operation. */
function gatedAction(route: Route): string {
  const gate: Gate<never, never, never> = route.gate;
  return typeof gate === 'string' ? route.operationId : gate.action;
}

function withoutUnproven({ unproven = [] }: Route, body: unknown): unknown {
  if (unproven.length === 0 || typeof body !== 'object' || body === null) return body ?? null;
  return Object.fromEntries(Object.entries(body).filter(([name]) => !unproven.some((one: string) => one === name)));
}

/**
 * The proof in `X-MFA-Token`, made for exactly this request.
 *
 * @throws Problem `mfa.required` with what has to be proven.
 */
export async function verifyProof(
  deps: ApiDeps,
  route: Route,
  actor: Actor,
  input: RouteInput,
  ctx: ParameterizedContext<RequestState>,
): Promise<RouteProof> {
  const action = gatedAction(route);
  const { params, query } = input;
  const { ifMatch } = ctx.state.info;
  const digest = payloadDigest({
    operation: route.operationId,
    params,
    // The query is part of the operation (`transfer_to`); most gated routes have none.
    ...(Object.keys(query).length === 0 ? {} : { query }),
    // So is the version that the change is built on: what was agreed to was shown in that one.
    ...(ifMatch === null ? {} : { if_match: ifMatch }),
    body: withoutUnproven(route, input.body),
  });
  const token = ctx.get('x-mfa-token');
  const { user_id, session_id } = actor;
  const challengeId =
    token === '' || user_id === null || session_id === null
      ? null
      : await deps.mfaTokens.verify(token, { user_id, session_id, action, payload_digest: digest });
  if (challengeId === null) {
    throw new Problem({
      code: 'mfa.required',
      detail:
        'Ask for a code with POST /admin/mfa/request for this action and payload_digest, verify it, and repeat the ' +
        'request with the token in X-MFA-Token.',
      members: { action, payload_digest: digest },
    });
  }
  return new RouteProof(challengeId);
}
