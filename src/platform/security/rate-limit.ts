import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterPostgres,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { Problem } from '../problem.ts';

/** A number of requests in a window of time. */
export interface RateLimitPolicy {
  /** Name in the `RateLimit` headers and in the store: lower case and dashes. */
  readonly name: string;
  readonly limit: number;
  readonly windowSeconds: number;
}

/** The remaining quota of a caller after one request was counted. */
export interface RateLimitState {
  readonly policy: RateLimitPolicy;
  readonly remaining: number;
  readonly resetSeconds: number;
}

/** One counter for each key, with a window that starts at the first request. */
export interface Limiter {
  readonly policy: RateLimitPolicy;
  /**
   * Counts one for the key, in a statement of its own, so that the count stays when the caller's transaction rolls back.
   *
   * @throws Problem 429 with Retry-After when the limit is passed, 503 when the counter cannot be reached: without a
   * count nothing is allowed (ASVS 16.5.3).
   */
  take(key: string): Promise<RateLimitState>;
  /** Takes one count back, for limits that count failures only: they are charged before the outcome is known. */
  giveBack(key: string): Promise<void>;
}

/** The limits of the product. */
export interface RateLimits {
  /** Every caller, counted in this process alone: with n processes the real limit is up to n times as high. */
  readonly general: Limiter;
  /** Sign-in attempts on one account, from anywhere. */
  readonly signInAccount: Limiter;
  /** Sign-in attempts from one address, on any account. */
  readonly signInAddress: Limiter;
  /** Wrong second-factor codes of one person, over all challenges and routes. */
  readonly factorGuess: Limiter;
  /** Codes that one person may have sent. */
  readonly factorRequest: Limiter;
  /** Requests on public links, by address. */
  readonly publicToken: Limiter;
}

/** Table of the shared counters; they belong to no tenant, and their keys are digests. */
const counterTable = 'rate_limit_counters';

/**
 * Creates the limits. All but the general one count in PostgreSQL by one atomic upsert, so that any number of processes
 * share them exactly.
 *
 * @param options.onStoreError is called with the error when a counter cannot be reached
 */
export function createRateLimits(options: {
  pool: Pool;
  generalPerMinute: number;
  signInPerAccount: number;
  signInPerAddress: number;
  onStoreError?: (error: unknown) => void;
}): RateLimits {
  const { pool, onStoreError = () => undefined } = options;
  const shared = (policy: RateLimitPolicy): Limiter => createSharedLimiter({ pool, policy, onStoreError });
  const quarterHour = 15 * 60;
  return {
    general: createProcessLimiter({ name: 'general', limit: options.generalPerMinute, windowSeconds: 60 }),
    signInAccount: shared({ name: 'sign-in-account', limit: options.signInPerAccount, windowSeconds: quarterHour }),
    signInAddress: shared({ name: 'sign-in-address', limit: options.signInPerAddress, windowSeconds: quarterHour }),
    factorGuess: shared({ name: 'factor-guess', limit: 10, windowSeconds: 3_600 }),
    factorRequest: shared({ name: 'factor-request', limit: 30, windowSeconds: quarterHour }),
    publicToken: shared({ name: 'public-token', limit: 60, windowSeconds: 60 }),
  };
}

/** A limiter that counts in PostgreSQL, for all processes together. */
export function createSharedLimiter(options: {
  pool: Pool;
  policy: RateLimitPolicy;
  onStoreError: (error: unknown) => void;
}): Limiter {
  const store = new RateLimiterPostgres({
    storeClient: options.pool,
    storeType: 'pool',
    tableName: counterTable,
    // The table comes with the migrations; the application may not create any.
    tableCreated: true,
    keyPrefix: options.policy.name,
    points: options.policy.limit,
    duration: options.policy.windowSeconds,
  });
  return limiterOver(store, options.policy, options.onStoreError);
}

/** A limiter that counts in this process's memory. */
export function createProcessLimiter(policy: RateLimitPolicy): Limiter {
  const store = new RateLimiterMemory({ keyPrefix: policy.name, points: policy.limit, duration: policy.windowSeconds });
  return limiterOver(store, policy, () => undefined);
}

/**
 * The headers of draft-ietf-httpapi-ratelimit-headers: the policy and what is left to the caller. Every response of a
 * limited route has them.
 */
export function rateLimitHeaders({ policy, remaining, resetSeconds }: RateLimitState): Record<string, string> {
  return {
    'RateLimit-Policy': `"${policy.name}";q=${policy.limit};w=${policy.windowSeconds}`,
    RateLimit: `"${policy.name}";r=${remaining};t=${resetSeconds}`,
  };
}

function limiterOver(
  store: RateLimiterAbstract,
  policy: RateLimitPolicy,
  onStoreError: (error: unknown) => void,
): Limiter {
  const stateOf = (result: RateLimiterRes): RateLimitState => ({
    policy,
    remaining: Math.max(0, result.remainingPoints),
    resetSeconds: Math.max(1, Math.ceil(result.msBeforeNext / 1000)),
  });
  return {
    policy,
    async take(key) {
      try {
        return stateOf(await store.consume(storedKey(key)));
      } catch (error) {
        if (error instanceof RateLimiterRes) {
          const state = stateOf(error);
          throw new Problem({
            code: 'request.rate-limited',
            detail: `Too many requests: at most ${policy.limit} in ${policy.windowSeconds} seconds.`,
            retryAfterSeconds: state.resetSeconds,
            members: { policy: policy.name },
          });
        }
        throw counterUnavailable(error);
      }
    },
    async giveBack(key) {
      try {
        await store.reward(storedKey(key));
      } catch (error) {
        throw counterUnavailable(error);
      }
    },
  };

  function counterUnavailable(cause: unknown): Problem {
    onStoreError(cause);
    return new Problem({
      code: 'service.unavailable',
      detail: 'The request could not be counted against its limit.',
      retryAfterSeconds: 5,
      cause,
    });
  }
}

/** Addresses and account names are personal data; of fixed length, no key can be too long for its column either. */
function storedKey(key: string): string {
  return createHash('sha256').update(key, 'utf8').digest('base64url');
}
