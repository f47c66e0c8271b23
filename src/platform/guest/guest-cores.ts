import { readFileSync } from 'node:fs';

/**
 * The cores that the processes of guests may run on, as `taskset` takes them: the upper half of ours; null where there is only
 * one, or where they cannot be told.
 *
 * A low priority alone leaves a request waiting for the end of a guest's time slice at each of the twenty or so times that it
 * changes processes, and with a guest on every core that is most of its time. With a core free of guests it is not.
 *
 * @param status the text of `/proc/self/status`.
 */
export function guestCoresIn(status: string): string | null {
  const list = /^Cpus_allowed_list:\s*([\d,-]+)$/m.exec(status)?.[1] ?? '';
  const cores = list.split(',').flatMap((range) => {
    const [first = NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 || 0 }, (_, place) => first + place);
  });
  return cores.length < 2 ? null : cores.slice(Math.ceil(cores.length / 2)).join(',');
}

/** {@link guestCoresIn} for this process. */
export function guestCores(): string | null {
  try {
    return guestCoresIn(readFileSync('/proc/self/status', 'latin1'));
  } catch {
    return null; // no /proc here
  }
}
