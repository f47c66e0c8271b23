/** Facts of the request that rules and audit need, taken once at the edge. */
export interface RequestInfo {
  /** UUID; the caller's `X-Request-Id` when that is a UUID, else our own. */
  readonly id: string;
  readonly ip: string;
  readonly userAgent: string | null;
  readonly traceId: string | null;
  readonly ifMatch: string | null;
  readonly ifNoneMatch: string | null;
  /** The Cookie header; only the sign-in through a browser looks at it. */
  readonly cookie: string | null;
}
