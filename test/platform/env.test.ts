import { describe, expect, it } from '@jest/globals';
import { EnvError, loadEnv } from '../../src/platform/env.ts';

const key = Buffer.alloc(32, 7).toString('base64');
const enough = {
  DATABASE_URL: 'postgres://app:secret@127.0.0.1/castellan',
  ENCRYPTION_KEYS: `k1:${key}`,
  AUTH_SIGNING_KEYS: `s1:${key}`,
  AUDIT_SIGNING_KEYS: `castellan:${key}`,
};

function faults(source: NodeJS.ProcessEnv): string {
  try {
    loadEnv(source);
  } catch (error) {
    if (error instanceof EnvError) return error.message;
    throw error;
  }
  throw new Error('The environment was taken.');
}

describe('environment', () => {
  it('takes what is needed and fills in the rest', () => {
    expect(loadEnv(enough)).toMatchObject({ NODE_ENV: 'development', PORT: 3000, TRACE_SAMPLE_RATIO: 0, CORS_ORIGINS: [] });
  });

  it('names every bad variable at once, and none of their values', () => {
    const message = faults({ ...enough, PORT: 'high', DATABASE_URL: 'mysql://root:hunter2@db', TEMPORAL_TLS: 'yes', ENCRYPTION_KEYS: 'hunter3' });
    for (const name of ['PORT', 'DATABASE_URL', 'TEMPORAL_TLS', 'ENCRYPTION_KEYS']) expect(message).toContain(`  ${name}: `);
    expect(message).not.toMatch(/hunter|high/);
    expect(message.split('\n')).toHaveLength(5);
  });

  it('treats an empty variable as one that is not set', () => {
    expect(loadEnv({ ...enough, PORT: '', SHUTDOWN_TIMEOUT_SECONDS: '' })).toMatchObject({ PORT: 3000, SHUTDOWN_TIMEOUT_SECONDS: 20 });
    expect(faults({ ...enough, ENCRYPTION_KEYS: '' })).toContain('ENCRYPTION_KEYS');
  });

  it('X-27: refuses in production what is for development', () => {
    expect(faults({ ...enough, NODE_ENV: 'production' })).toContain('PUBLIC_URL: must be https');
    expect(loadEnv({ ...enough, NODE_ENV: 'production', PUBLIC_URL: 'https://castellan.test' }).NODE_ENV).toBe('production');
  });

  it('knows only algorithms with public keys for foreign issuers', () => {
    const issuer = { issuer: 'https://id.test', audience: 'a', jwks_uri: 'https://id.test/jwks', tenant_id: '00000000-0000-0000-0000-000000000000' };
    const message = faults({ ...enough, TRUSTED_ISSUERS: JSON.stringify([{ ...issuer, algorithms: ['HS256'] }]) });
    expect(message).toContain('TRUSTED_ISSUERS');
    expect(loadEnv({ ...enough, TRUSTED_ISSUERS: JSON.stringify([issuer]) }).TRUSTED_ISSUERS).toHaveLength(1);
  });

  it('T-45: wants to know by audience or by authorized party whom tokens of a foreign issuer are meant for', () => {
    const issuer = { issuer: 'https://id.test', jwks_uri: 'https://id.test/jwks', tenant_id: '00000000-0000-0000-0000-000000000000' };
    const written = (more: object) => ({ ...enough, TRUSTED_ISSUERS: JSON.stringify([{ ...issuer, ...more }]) });
    expect(faults(written({}))).toContain('TRUSTED_ISSUERS');
    expect(faults(written({ authorized_parties: [] }))).toContain('TRUSTED_ISSUERS');
    for (const one of [{ audience: 'a' }, { authorized_parties: ['https://portal.example'] }]) {
      expect(loadEnv(written(one)).TRUSTED_ISSUERS).toHaveLength(1);
    }
  });
});
