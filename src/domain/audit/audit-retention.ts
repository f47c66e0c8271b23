/** The kinds of witnesses: a signed webhook, or a folder with one object file for each checkpoint. */
export const witnessKinds = ['webhook', 'folder'] as const;
export type WitnessKind = (typeof witnessKinds)[number];

/**
 * Where the checkpoint was read that covers a dropped segment: the file of the chain, or the folder of a witness. Segments of
 * earlier releases name the webhook, too.
 */
export const anchorSources = ['checkpoints', ...witnessKinds] as const;
export type AnchorSource = (typeof anchorSources)[number];

/**
 * Results of a verification. `decisions_differ`: the chain is intact, but Temporal's histories hold other decisions.
 */
export const verificationOutcomes = ['intact', 'damaged', 'decisions_differ'] as const;
export type VerificationOutcome = (typeof verificationOutcomes)[number];

/**
 * Segments end at multiples of this many rows: the Merkle tree keeps its nodes from there on, so that everything behind
 * a dropped segment can still be proved.
 */
export const segmentStep = 256;

/** Rows of one segment at most: they are archived, checked and dropped in about a second, while the chain is locked. */
export const maxSegmentRows = 64 * segmentStep;

/** The decisions about requests that are compared, by their name in the audit. */
export const comparedVerdicts = ['approve', 'reject', 'break-glass'] as const;
export type ComparedVerdict = (typeof comparedVerdicts)[number];

/** One decision of one person, as the audit or a Temporal history has it. */
export interface DecisionRecord {
  /** Workflow of the request, `approval/<tenant>/<id>`. */
  readonly workflow_id: string;
  readonly verdict: ComparedVerdict;
  readonly user_id: string;
  /** Milliseconds since the epoch. */
  readonly at_ms: number;
}

/** A decision that one side has and the other lacks. */
export interface DecisionDifference extends DecisionRecord {
  /** The side that lacks the decision. */
  readonly missing_in: 'audit' | 'temporal';
}

/**
 * Decisions of a span of time that only one side has. The other side is searched without regard to time, because the
 * two do not record the same decision at the same time.
 */
export function compareDecisions(
  audit: readonly DecisionRecord[],
  temporal: readonly DecisionRecord[],
  span: { readonly from_ms: number; readonly to_ms: number },
): DecisionDifference[] {
  const within = ({ at_ms }: DecisionRecord) => at_ms >= span.from_ms && at_ms < span.to_ms;
  return [
    ...without(audit.filter(within), temporal).map((decision) => ({ ...decision, missing_in: 'temporal' as const })),
    ...without(temporal.filter(within), audit).map((decision) => ({ ...decision, missing_in: 'audit' as const })),
  ];
}

function without(these: readonly DecisionRecord[], those: readonly DecisionRecord[]): DecisionRecord[] {
  const known = new Set(those.map(nameOf));
  const distinct = new Map(these.map((decision) => [nameOf(decision), decision]));
  return [...distinct].filter(([name]) => !known.has(name)).map(([, decision]) => decision);
}

function nameOf({ workflow_id, verdict, user_id }: DecisionRecord): string {
  return `${workflow_id} ${verdict} ${user_id}`;
}
