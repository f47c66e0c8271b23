import type { BasisRow, ChangeBasis, PreparedAction } from '../actions/action.ts';
import { read } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import { payloadDigest } from '../../platform/security/digest.ts';

/** What identifies a change and what it was built on; frozen when its request is opened or edited. */
export interface FrozenBasis {
  /** Digest of the values that the change replaces; null where its version says whether it is stale. */
  readonly basis_digest: string | null;
  /** Digest of the change without its reasons: two requests with the same one ask for the same (R9, R10). */
  readonly change_digest: string;
}

/** The same transaction, acting as the requester, in whose name the change is made and whose rights are checked. */
function asRequester(tx: Tx, userId: string): Tx {
  return { ...tx, actor: { ...tx.actor, user_id: userId } };
}

/**
 * Why a change is stale, or null.
 *
 * @param present what is there now.
 * @param basisDigest what was frozen with the request; null when there is no request yet, for what its version decides, and in
 *   requests of earlier releases.
 */
export function staleness(basis: ChangeBasis, present: BasisRow | undefined, basisDigest: string | null): Problem | null {
  const { base_version } = basis;
  const current_version = present?.version ?? null;
  const isStale = basisDigest === null ? base_version !== current_version : basisDigest !== digestOf(present);
  if (!isStale) return null;
  return new Problem({
    code: 'approval.stale',
    detail:
      basis.detail ??
      'What this would change has changed since: ' +
      `${base_version === null ? 'nothing' : `version ${base_version}`} was read, ` +
      `${current_version === null ? 'nothing' : `version ${current_version}`} is there.`,
    members: { base_version, current_version },
  });
}

function digestOf(present: BasisRow | undefined): string | null {
  return present?.touched === undefined ? null : payloadDigest(present.touched);
}

async function readBasis(tx: Tx, { query }: ChangeBasis): Promise<BasisRow | undefined> {
  const [present] = await read(tx, tx.actor, query);
  return present;
}

/** The digest of the values that are replaced; null where there are none yet. */
async function freezeTouched(tx: Tx, basis: ChangeBasis): Promise<string | null> {
  const present = await readBasis(tx, basis);
  const stale = staleness(basis, present, null);
  if (stale !== null) throw stale;
  return digestOf(present);
}

/**
 * What a request keeps of a change that is asked for on the version which is there.
 *
 * @throws Problem `approval.stale` when what is judged by its values was built on another one.
 */
export async function freezeBasis(tx: Tx, { action, environment, basis, withoutReasons }: PreparedAction): Promise<FrozenBasis> {
  const change = { action: action.name, environment };
  const basis_digest = basis?.judged_by === 'touched' ? await freezeTouched(tx, basis) : null;
  if (basis_digest === null) return { basis_digest, change_digest: payloadDigest({ ...change, payload: withoutReasons }) };
  // The version counts what the change does not touch: it makes it no other change, the values that it replaces do.
  const { version: _version, ...payload } = withoutReasons;
  return { basis_digest, change_digest: payloadDigest({ ...change, payload, basis: basis_digest }) };
}

/**
 * Refuses an approval of what was built on something else than what is there (T-13): nobody approves in vain. It takes no locks,
 * so an approval never waits for whoever is changing the same thing.
 *
 * @param basisDigest of the request.
 * @returns the change as it would be made now.
 * @throws Problem `approval.stale` with both versions.
 */
export async function assertNotStale(tx: Tx, prepared: PreparedAction, basisDigest: string | null): Promise<PreparedAction> {
  const { basis } = prepared;
  if (basis === null) return prepared;
  const present = await readBasis(tx, basis);
  const stale = staleness(basis, present, basisDigest);
  if (stale !== null) throw stale;
  const version = present?.version ?? null;
  return version === null || version === basis.base_version ? prepared : prepared.onVersion(version);
}

/**
 * {@link assertNotStale}, and whatever else the change itself would be refused for now. For a transaction that is rolled back:
 * it locks what the change would touch.
 *
 * @throws Problem `approval.stale` with what the change itself said.
 */
export async function assertStillPossible(
  tx: Tx,
  prepared: PreparedAction,
  { requested_by, basis_digest }: { readonly requested_by: string; readonly basis_digest: string | null },
): Promise<void> {
  const current = await assertNotStale(tx, prepared, basis_digest);
  try {
    await current.check(asRequester(tx, requested_by));
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500 || error.code === 'approval.payload-changed') throw error;
    throw new Problem({
      code: 'approval.stale',
      detail: `This could not be made any more. ${error.message}`,
      members: { cause_code: error.code },
    });
  }
}
