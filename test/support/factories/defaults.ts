import { randomUUID } from 'node:crypto';

/** A name that no other row has. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

/** The time some seconds from now, as RFC 3339; negative for the past. */
export function fromNow(seconds: number): string {
  return new Date(Date.now() + seconds * 1_000).toISOString();
}

export const hour = 3_600;
export const day = 24 * hour;
