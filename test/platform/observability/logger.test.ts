import { describe, expect, it } from '@jest/globals';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { Recording } from '../../support/dumps.ts';

function logged(write: (log: ReturnType<typeof createLogger>) => void): string {
  const recording = new Recording();
  write(createLogger({ level: 'trace', name: 'test', destination: recording }));
  return recording.text;
}

describe('S1-46: logs', () => {
  it('are one JSON object for each line, with time and name', () => {
    const line = JSON.parse(logged((log) => log.info({ request_id: 'r' }, 'hello'))) as Record<string, unknown>;
    expect(line).toMatchObject({ name: 'test', msg: 'hello', request_id: 'r', time: expect.stringMatching(/^\d{4}-.*Z$/) });
  });

  it.each(['password', 'token', 'refresh_token', 'mfa_token', 'secret', 'code', 'cpf', 'authorization', 'x-mfa-token'])(
    'hide %s on three levels',
    (field) => {
      const text = logged((log) => log.info({ [field]: 'hunter2', a: { [field]: 'hunter2', b: { [field]: 'hunter2' } } }));
      expect(text).not.toContain('hunter2');
      expect(text.match(/\[redacted\]/g)).toHaveLength(3);
    },
  );

  it('escape line breaks of logged values (ASVS 16.4.1)', () => {
    const text = logged((log) => log.info({ user_agent: 'x\n{"level":60,"msg":"forged"}\r\n' }, 'a\nb'));
    expect(text.trimEnd().split('\n')).toHaveLength(1);
  });

  it('drop what drivers attach to errors, and keep name, code, stack and cause', () => {
    const error = Object.assign(new Error('failed', { cause: new TypeError('inner') }), {
      code: '23505',
      detail: 'Key (email)=(hunter2@x) already exists.',
      parameters: ['hunter2'],
    });
    const text = logged((log) => log.error({ err: error }));
    expect(text).not.toContain('hunter2');
    expect(JSON.parse(text)).toMatchObject({ err: { error_code: '23505', message: 'failed', cause: { name: 'TypeError' } } });
    // As the Temporal SDK names it when an activity fails.
    const ofActivity = logged((log) => log.warn({ error }, 'Activity failed'));
    expect(ofActivity).not.toContain('hunter2');
    expect(JSON.parse(ofActivity)).toMatchObject({ error: { error_code: '23505', message: 'failed', cause: { name: 'TypeError' } } });
  });
});
