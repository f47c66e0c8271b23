/**
 * A reason why the stack cannot start that the person at the terminal can act on.
 *
 * The message is one line and says what to do; whoever prints it prints no stack. Everything else that is thrown
 * during a start is a fault of ours and keeps its stack in the log.
 */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}

/** The one line to print for whatever was thrown while starting: first line of the message, never a stack. */
export function startupMessage(error: unknown): string {
  const line = errorMessage(error).split('\n', 1)[0]?.trim() ?? '';
  return line === '' ? 'Castellan could not start: an error without a message.' : line;
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
