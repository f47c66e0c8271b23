/**
 * A reason why the stack cannot start that the person at the terminal can act on.
 *
 * The message is one line and says what to do; it is printed without a stack. Everything else that is thrown
 * during a start is a fault of ours and keeps its stack in the log.
 */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}

/** The one line to print for whatever was thrown while starting: first lines of the message and its causes, never a stack. */
export function startupMessage(error: unknown): string {
  const lines: string[] = [];
  for (let current = error; current !== undefined && lines.length < maxCauses; current = causeOf(current)) {
    const line = errorMessage(current).split('\n', 1)[0]?.trim() ?? '';
    if (line !== '' && !lines.includes(line)) lines.push(line);
  }
  return lines.length === 0 ? 'Castellan could not start: an error without a message.' : lines.join(': ');
}

const maxCauses = 4;

function causeOf(error: unknown): unknown {
  return error instanceof StartupError || typeof error !== 'object' || error === null ? undefined : Reflect.get(error, 'cause');
}

/** The message of a thrown value. Asks for the property, not the class: jest's errors are not of its tests' classes. */
export function errorMessage(error: unknown): string {
  return hasText(error, 'message') ? error.message : String(error);
}

/** The system error code (`EACCES`, `EADDRINUSE`, …) or SQL state of a thrown value, if it has one. */
export function errorCode(error: unknown): string | undefined {
  return hasText(error, 'code') ? error.code : undefined;
}

function hasText<Key extends string>(value: unknown, key: Key): value is Record<Key, string> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, key) === 'string';
}
