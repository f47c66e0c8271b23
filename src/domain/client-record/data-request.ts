/** What a client asks about their data: what is held of them, or that it is erased (LGPD art. 18). */
export const dataRequestKinds = ['access', 'erasure'] as const;
export type DataRequestKind = (typeof dataRequestKinds)[number];

/** Only an open request moves; the other states are final. */
export const dataRequestStatuses = ['open', 'fulfilled', 'refused', 'withdrawn'] as const;
export type DataRequestStatus = (typeof dataRequestStatuses)[number];

/** How long a tenant has to answer, and how many days before the end it is reminded. */
export interface DataRequestSettings {
  readonly data_request_days: number;
  readonly reminder_days: readonly number[];
}

/** Settings of a tenant that has written none; the days are those of LGPD art. 19. */
export const defaultDataRequestSettings: DataRequestSettings = { data_request_days: 15, reminder_days: [5, 1] };

/** How long the file of an access request can be downloaded, from its approval on. */
export const downloadDays = 7;

/** An open request sleeps at most this long, so that it notices within a day what nobody has told it. */
const lookAgainMs = 24 * 3_600_000;

/** A request as its workflow sees it: nothing of it says anything about a person. Times are milliseconds since the epoch. */
export interface DataRequestState {
  readonly status: DataRequestStatus;
  readonly kind: DataRequestKind;
  readonly due_on: string;
  /** The reminders that have not been given, each with its days before the due date; the earliest first. */
  readonly reminders: readonly { readonly days: number; readonly at: number }[];
  /** When it is told that the request is overdue; null where it was told. */
  readonly overdue_at: number | null;
  /** True while the tenant is suspended: nobody is told anything (S1-63). */
  readonly is_silent: boolean;
}

/** What people are told of a request that is not answered. */
export type DataRequestNews = { readonly news: 'due'; readonly days: number } | { readonly news: 'overdue' };

/** What the workflow of a request does next. `until` is in milliseconds since the epoch. */
export type DataRequestStep =
  | { readonly kind: 'end' }
  | { readonly kind: 'wait'; readonly until: number }
  | ({ readonly kind: 'tell' } & DataRequestNews);

/**
 * Decides the next step. After an outage only the latest of what was missed is told, because it says all that the others said.
 *
 * @param now milliseconds since the epoch
 */
export function nextDataRequestStep({ status, reminders, overdue_at, is_silent }: DataRequestState, now: number): DataRequestStep {
  if (status !== 'open') return { kind: 'end' };
  const latest = now + lookAgainMs;
  if (is_silent) return { kind: 'wait', until: latest };
  if (overdue_at !== null && overdue_at <= now) return { kind: 'tell', news: 'overdue' };
  const due = reminders.findLast(({ at }) => at <= now);
  if (due !== undefined) return { kind: 'tell', news: 'due', days: due.days };
  return { kind: 'wait', until: Math.min(latest, overdue_at ?? latest, ...reminders.map(({ at }) => at)) };
}
