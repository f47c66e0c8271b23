import { setImmediate as nextTurn } from 'node:timers/promises';
import { hash as argon2Hash } from '@node-rs/argon2';
import { describe, expect, it } from '@jest/globals';
import { createPasswordHasher, passwordFaults } from '../../../src/platform/security/password.ts';

const hasher = createPasswordHasher({ concurrency: 2, queueLimit: 100 });

describe('password hashes', () => {
  it('are argon2id with the cost of the cheat sheet and a salt of their own', async () => {
    const [first, second] = await Promise.all([
      hasher.hash('correct horse battery'),
      hasher.hash('correct horse battery'),
    ]);
    expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(second).not.toBe(first);
    await expect(hasher.verify(first, 'correct horse battery')).resolves.toBe(true);
    await expect(hasher.verify(first, 'correct horse batterz')).resolves.toBe(false);
  });

  it('refuse every password for an unknown person', async () => {
    await expect(hasher.verify(null, 'anything at all')).resolves.toBe(false);
    await expect(hasher.verify(null, '\0no such person')).resolves.toBe(false);
  });

  it('are recognised when they were made at a lower cost or by another algorithm', async () => {
    const cheap = await argon2Hash('x', { memoryCost: 4096, timeCost: 2, parallelism: 1 });
    expect(hasher.needsRehash(cheap)).toBe(true);
    expect(hasher.needsRehash('$2b$12$C6UzMDM.H6dfI/f/IKcEeO7ZbqVvYbFFhsSqIIvWmM0pYpWmPT2Hi')).toBe(true);
    expect(hasher.needsRehash(await hasher.hash('x'))).toBe(false);
    expect(hasher.needsRehash(await argon2Hash('x', { memoryCost: 65_536, timeCost: 3, parallelism: 1 }))).toBe(false);
  });

  it('are made by no more cores than allowed, and refused with 503 when too many are queued', async () => {
    const narrow = createPasswordHasher({ concurrency: 1, queueLimit: 2 });
    const attempts = Array.from({ length: 8 }, () => narrow.hash('correct horse battery'));
    const outcomes = await Promise.allSettled(attempts);
    const refusals = outcomes
      .filter((outcome) => outcome.status === 'rejected')
      .map((outcome) => outcome.reason as unknown);
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(3);
    expect(refusals).toHaveLength(5);
    expect(refusals[0]).toMatchObject({ code: 'service.unavailable', status: 503, retryAfterSeconds: 2 });
    await expect(narrow.hash('and afterwards all is well')).resolves.toContain('argon2id');
  });

  it('free their place in the queue when one fails', async () => {
    const narrow = createPasswordHasher({ concurrency: 1, queueLimit: 1 });
    await expect(narrow.verify('not a hash', 'x')).rejects.toThrow();
    await expect(narrow.hash('x')).resolves.toContain('argon2id');
  });

  it('leave the event loop free while many are queued', async () => {
    const storm = Promise.all(Array.from({ length: 40 }, () => hasher.verify(null, 'x')));
    let turns = 0;
    let done = false;
    void storm.then(() => (done = true));
    while (!done) {
      await nextTurn();
      turns += 1;
    }
    // An event loop that did the hashing itself would turn about once a hash.
    expect(turns).toBeGreaterThan(400);
  });
});

describe('password rules (S4-1, NIST SP 800-63B)', () => {
  const person = ['maria.silva@example.com', '+919876543200', 'Maria'];
  it.each([
    ['short one', ['too-short']],
    ['p'.repeat(129), ['too-long', 'too-uniform']],
    ['aaaaaaaaaaaaaa', ['too-uniform']],
    ['TestPassword', ['too-common']],
    ['Password123456', ['too-common']],
    ['passwordpassword', ['too-common']],
    ['maria.silva@example.com', ['contains-identity']],
    ['hello MARIA.SILVA 9', ['contains-identity']],
    ['purple monkey dishwasher', []],
    ['пароль-длинный-и-свой', []],
  ])('find in %j: %j', (password, faults) => {
    expect(passwordFaults(password, person)).toEqual(faults);
  });
});
