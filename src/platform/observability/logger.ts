import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';

export type { Logger };

/** Field names whose values are never logged, in the first three levels of nesting. */
const secretFields = [
  'password',
  'current_password',
  'new_password',
  'code',
  'secret',
  'token',
  'access_token',
  'refresh_token',
  'id_token',
  'mfa_token',
  'client_secret',
  'api_key',
  'recovery_codes',
  'cpf',
  'authorization',
  'cookie',
  'x-mfa-token',
  'set-cookie',
];

const redactPaths = secretFields.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]);

/**
 * JSON logs on standard output (S1-46). Redaction by field name is a second safeguard: callers do not log bodies.
 *
 * @param options.destination where the lines are written; standard output when left out.
 */
export function createLogger(options: { level: string; name: string; destination?: DestinationStream }): Logger {
  const settings = {
    name: options.name,
    level: options.level,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    redact: { paths: redactPaths, censor: '[redacted]' },
    // The Temporal SDK calls it `error`; of an error without a serializer a line says nothing but `{}`.
    serializers: { err: serializeError, error: serializeError },
  };
  return pino(settings, options.destination ?? standardOutput());
}

/**
 * Buffers lines, because each write costs as much as a small query. The buffer is flushed when the process exits, also
 * after an uncaught error; SIGKILL loses at most the last quarter of a second.
 */
function standardOutput(): DestinationStream {
  return pino.destination({ dest: 1, sync: false, minLength: 4_096, periodicFlush: 250 });
}

/**
 * Keeps name, message, code and stack of an error and drops the rest, because database drivers attach parameters and row
 * details to their errors.
 */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack } = error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  // Not `code`, which is redacted because the codes of second factors have that name.
  return { name, message, error_code: code, stack, cause: error.cause instanceof Error ? serializeError(error.cause) : undefined };
}
