import type { JsonValue } from '../shared/canonical.ts';
import { conditionHolds } from './flag-condition.ts';
import type { FlagDefinition, FlagRule, FlagShare } from './flag.ts';
import { thousandths } from './flag.ts';
import { bucketOf } from '../shared/stable-hash.ts';

/** What is known about the subject of an evaluation: OpenFeature's evaluation context. */
export interface FlagContext {
  /** The subject's stable id (a user, a device), which decides the variant in every split. */
  targetingKey?: string | undefined;
  /** Free attributes that rules can ask for. */
  readonly [attribute: string]: JsonValue | undefined;
}

/** Why a value was served, by the names of the OpenFeature remote evaluation protocol. */
type FlagReason = 'STATIC' | 'TARGETING_MATCH' | 'SPLIT' | 'DISABLED' | 'DEFAULT';

/** The value of a flag for one context, with the variant and the reason. */
interface FlagDecision {
  outcome: 'served';
  variant: string;
  value: JsonValue;
  reason: FlagReason;
  /** Name of the rule that decided, or null. */
  rule: string | null;
}

/** A split had to decide and the context names no subject. */
interface FlagNeedsTargetingKey {
  outcome: 'targeting-key-missing';
}

/** Result of {@link evaluateFlag}. */
type FlagEvaluation = FlagDecision | FlagNeedsTargetingKey;

/**
 * The value of a flag for a context (S2-14, X-21). A disabled flag answers its off variant. Else the first rule that
 * holds decides, by one variant (TARGETING_MATCH) or by shares (SPLIT). Else the rollout percentage does: 0 and 100 are
 * STATIC without rules and DEFAULT behind rules, anything between is SPLIT.
 *
 * @param tenantId the tenant that rules see when the context has no `tenant_id` of its own.
 */
export function evaluateFlag(
  flagKey: string,
  flag: FlagDefinition,
  context: FlagContext,
  tenantId: string,
): FlagEvaluation {
  if (!flag.enabled) return served(flag, flag.off_variant, 'DISABLED', null);
  const tenant = context['tenant_id'] ?? tenantId;
  const rule = flag.rules.find((candidate) => ruleHolds(candidate, context, tenant));
  if (rule !== undefined) return serveShares(flagKey, flag, rule.serve, context, 'TARGETING_MATCH', rule.name);
  const shares = [
    { variant: flag.on_variant, percentage: flag.rollout_percentage },
    { variant: flag.off_variant, percentage: 100 - flag.rollout_percentage },
  ];
  return serveShares(flagKey, flag, shares, context, flag.rules.length === 0 ? 'STATIC' : 'DEFAULT', null);
}

function ruleHolds(rule: FlagRule, context: FlagContext, tenant: JsonValue): boolean {
  if (rule.tenants.length > 0 && !rule.tenants.some((candidate) => candidate === tenant)) return false;
  return rule.conditions.every((condition) => {
    const known = Object.hasOwn(context, condition.attribute);
    return conditionHolds(condition, known ? context[condition.attribute] : undefined);
  });
}

function serveShares(
  flagKey: string,
  flag: FlagDefinition,
  shares: readonly FlagShare[],
  context: FlagContext,
  wholeReason: FlagReason,
  rule: string | null,
): FlagEvaluation {
  const whole = shares.find((share) => share.percentage === 100);
  if (whole !== undefined) return served(flag, whole.variant, wholeReason, rule);
  const subject = context.targetingKey;
  if (subject === undefined || subject === '') return { outcome: 'targeting-key-missing' };
  const bucket = bucketOf(flagKey, subject);
  let end = 0;
  for (const share of shares) {
    end += thousandths(share.percentage);
    if (bucket < end) return served(flag, share.variant, 'SPLIT', rule);
  }
  // Shares add up to 100 % (flagFaults), so the last one ends behind every bucket.
  throw new RangeError(`the shares of flag '${flagKey}' do not add up to 100`);
}

function served(flag: FlagDefinition, variant: string, reason: FlagReason, rule: string | null): FlagDecision {
  const value = flag.variants[variant];
  if (value === undefined) throw new RangeError(`there is no variant '${variant}'`);
  return { outcome: 'served', variant, value, reason, rule };
}
