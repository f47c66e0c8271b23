/** Status of a prospect (S0-74). */
export const prospectStatuses = ['open', 'won', 'lost'] as const;
export type ProspectStatus = (typeof prospectStatuses)[number];

/** Fields that a stage may require before a prospect enters it. */
export const requirableFields = [
  'company',
  'email',
  'phone',
  'source',
  'value_minor',
  'next_activity_at',
] as const;
export type RequirableField = (typeof requirableFields)[number];

/** A stage of a pipeline (S0-75). */
export interface Stage {
  readonly id: number;
  readonly pipeline_id: number;
  /** Chance of winning that a prospect gets when it enters, in percent. */
  readonly probability: number;
  /** Days after which a prospect rots here; null: never. */
  readonly rotting_days: number | null;
  readonly required_fields: readonly RequirableField[];
}

/** The part of a prospect that the rules depend on. */
export interface ProspectState extends Readonly<Record<RequirableField, string | number | null>> {
  readonly status: ProspectStatus;
  readonly stage_id: number;
  readonly pipeline_id: number;
  readonly probability: number;
  readonly lost_reason: string | null;
  readonly value_minor: number | null;
}

/** A move that is asked for; null leaves stage or status as it is. */
export interface Move {
  /** Null: the stage stays. */
  readonly stage: Stage | null;
  readonly status: ProspectStatus | null;
  readonly lost_reason: string | null;
}

/** The values after a move. A lost prospect keeps its last stage, which shows where it was lost. */
interface MoveResult {
  readonly status: ProspectStatus;
  readonly stage_id: number;
  readonly probability: number;
  readonly lost_reason: string | null;
}

/** Why a move is refused, with the missing fields where that is the reason. */
export type MoveRefusal =
  | { readonly kind: 'other-pipeline' }
  | { readonly kind: 'missing-fields'; readonly fields: readonly RequirableField[] }
  | { readonly kind: 'reason-missing' }
  | { readonly kind: 'reason-without-loss' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'unchanged' };

/** The fields that a stage requires and the prospect lacks. */
function missingFields(prospect: ProspectState, stage: Stage): RequirableField[] {
  return stage.required_fields.filter((field) => prospect[field] === null || prospect[field] === '');
}

/**
 * Decides whether a move is allowed, and what it results in (S0-75).
 *
 * @param current the stage the prospect is in; a closed prospect that is reopened gets its probability.
 */
export function decideMove(prospect: ProspectState, current: Stage, move: Move): MoveResult | MoveRefusal {
  const status = move.status ?? prospect.status;
  const stage = move.stage ?? current;
  if (stage.pipeline_id !== prospect.pipeline_id) return { kind: 'other-pipeline' };
  if (status === 'lost' && move.lost_reason === null) return { kind: 'reason-missing' };
  if (status !== 'lost' && move.lost_reason !== null) return { kind: 'reason-without-loss' };
  if (prospect.status !== 'open' && stage.id !== prospect.stage_id && status !== 'open') return { kind: 'closed' };
  if (status === prospect.status && stage.id === prospect.stage_id) return { kind: 'unchanged' };
  const fields = status === 'lost' ? [] : missingFields(prospect, stage);
  if (fields.length > 0) return { kind: 'missing-fields', fields };
  return { status, stage_id: stage.id, probability: probabilityOf(status, stage), lost_reason: move.lost_reason };
}

function probabilityOf(status: ProspectStatus, stage: Stage): number {
  switch (status) {
    case 'open':
      return stage.probability;
    case 'won':
      return 100;
    case 'lost':
      return 0;
  }
}

/** Narrows the result of {@link decideMove}. */
export function isRefused(answer: MoveResult | MoveRefusal): answer is MoveRefusal {
  return 'kind' in answer;
}

/** A refusal as a sentence for the person. */
export function refusalText(refusal: MoveRefusal): string {
  switch (refusal.kind) {
    case 'other-pipeline':
      return 'The stage belongs to another pipeline.';
    case 'missing-fields':
      return `The stage requires: ${refusal.fields.join(', ')}.`;
    case 'reason-missing':
      return 'Say why the prospect was lost.';
    case 'reason-without-loss':
      return 'A reason belongs to a lost prospect only.';
    case 'closed':
      return 'A closed prospect has to be opened again before it moves.';
    case 'unchanged':
      return 'The prospect is in this stage already.';
  }
}

/** What is derived for every prospect that is displayed. */
interface ProspectInsight {
  readonly seconds_in_stage: number;
  /** Null where the prospect cannot rot: it is closed, or its stage has no limit. */
  readonly rots_at: string | null;
  readonly is_rotting: boolean;
  /** Value times probability, minor units; null without a value. */
  readonly weighted_value_minor: number | null;
}

const dayMs = 86_400_000;

/** Time in stage, rotting and weighted value (S0-75). @param now milliseconds since the epoch. */
export function prospectInsight(
  prospect: { readonly status: ProspectStatus; readonly value_minor: number | null; readonly probability: number },
  stage: { readonly rotting_days: number | null; readonly entered_at: string },
  now: number,
): ProspectInsight {
  const enteredAt = Date.parse(stage.entered_at);
  const rotsAt =
    prospect.status === 'open' && stage.rotting_days !== null ? enteredAt + stage.rotting_days * dayMs : null;
  return {
    seconds_in_stage: Math.max(Math.floor((now - enteredAt) / 1000), 0),
    rots_at: rotsAt === null ? null : new Date(rotsAt).toISOString(),
    is_rotting: rotsAt !== null && now >= rotsAt,
    weighted_value_minor:
      prospect.value_minor === null ? null : Math.round((prospect.value_minor * prospect.probability) / 100),
  };
}
