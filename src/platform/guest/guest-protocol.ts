/** What the process that starts a guest sends to it. */
export interface HostMessage {
  readonly job: unknown;
}

/** What the process of a guest sends: that it is ready, then one answer for each job. */
export type GuestMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly answer: unknown; readonly cpuSeconds: number };
