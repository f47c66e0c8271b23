import { Problem } from './problem.ts';

/** The strong entity tag of a versioned resource (RFC 9110 section 8.8.3). */
export function versionEtag(version: number): string {
  return `"${version}"`;
}

/**
 * The version that an If-Match header names.
 *
 * @throws Problem 428 when the header is missing, 412 when it is weak or no version of ours.
 */
export function expectedVersion(ifMatch: string | null): number {
  if (ifMatch === null) {
    throw new Problem({
      code: 'resource.version-required',
      detail: 'Send If-Match with the ETag you have read, so that nobody’s change is lost.',
    });
  }
  const version = /^"(\d{1,9})"$/.exec(ifMatch)?.[1];
  if (version === undefined) {
    throw new Problem({
      code: 'resource.version-mismatch',
      detail: 'If-Match must be the strong ETag of this resource, as it was given.',
    });
  }
  return Number(version);
}

/** The problem of a write that was based on an older version. */
export function versionMismatch(current: number): Problem {
  return new Problem({
    code: 'resource.version-mismatch',
    detail: 'The resource has changed since it was read. Read it again and repeat the change.',
    members: { current_version: current },
  });
}
