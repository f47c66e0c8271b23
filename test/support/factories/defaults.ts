import { randomUUID } from 'node:crypto';

/** A name that no other row has. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

/** A moment some seconds from now; negative for the past. */
export function fromNow(seconds: number): Date {
  return new Date(Date.now() + seconds * 1_000);
}

export const hour = 3_600;
export const day = 24 * hour;
