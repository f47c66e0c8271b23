import { hash, parseOptions, verify } from '@node-rs/argon2';
import PQueue from 'p-queue';
import { Problem } from '../problem.ts';

/**
 * The first choice of the OWASP password storage cheat sheet for argon2id: 19 MiB, two passes, one lane. It costs 16 to
 * 20 ms of one core, which bounds sign-ins a second.
 */
const argon2idCost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** A member of a const enum of the library, which single-file compilation cannot read. */
const argon2id = 2;

/** A password longer than this is refused before hashing. */
export const maxPasswordLength = 128;
const minPasswordLength = 12;
const minDifferentCharacters = 5;

/** Password hashing with bounded concurrency. */
export type PasswordHasher = {
  /** Hashes with a new salt, in PHC string form. @throws Problem 503 when too many are queued. */
  readonly hash: (password: string) => Promise<string>;
  /**
   * Compares. For an unknown person pass `null`: the same work is done and the answer is false, so that the time does not
   * tell whether an account exists (ASVS 6.3.8).
   *
   * @throws Problem 503 when too many are queued.
   */
  readonly verify: (storedHash: string | null, password: string) => Promise<boolean>;
  /** True for a hash of another algorithm or a lower cost, which the next successful sign-in should replace. */
  readonly needsRehash: (storedHash: string) => boolean;
};

/**
 * Creates the hasher of a process.
 *
 * @param options.concurrency hashes at once; the number of cores, so that a burst of sign-ins leaves the event loop and the
 *   thread pool free for everything else
 * @param options.queueLimit how many may be queued before further ones are refused
 */
export function createPasswordHasher(options: { concurrency: number; queueLimit: number }): PasswordHasher {
  const { concurrency, queueLimit } = options;
  const queue = new PQueue({ concurrency });
  const enqueue = async <T>(task: () => Promise<T>): Promise<T> => {
    if (queue.pending >= concurrency && queue.size >= queueLimit) {
      throw new Problem({
        code: 'service.unavailable',
        detail: 'Too many sign-ins are queued. Try again shortly.',
        retryAfterSeconds: 2,
      });
    }
    return queue.add(task);
  };
  // A real hash of a value that nobody can send, made once, with the cost of all others.
  let dummyHash: Promise<string> | undefined;
  const unknownPersonHash = (): Promise<string> => {
    dummyHash ??= hash('\0no such person', { ...argon2idCost, algorithm: argon2id });
    return dummyHash;
  };

  return {
    hash: (password) => enqueue(() => hash(password, { ...argon2idCost, algorithm: argon2id })),

    verify: (storedHash, password) =>
      enqueue(async () => {
        const matches = await verify(storedHash ?? (await unknownPersonHash()), password);
        return matches && storedHash !== null;
      }),

    needsRehash(storedHash) {
      if (!storedHash.startsWith('$argon2id$')) {
        return true;
      }
      const found = parseOptions(storedHash);
      return (
        found.memoryCost < argon2idCost.memoryCost ||
        found.timeCost < argon2idCost.timeCost ||
        found.parallelism !== argon2idCost.parallelism
      );
    },
  };
}

/** What is wrong with a chosen password; programs tell the rules apart by these names. */
export type PasswordFault = 'too-short' | 'too-long' | 'too-common' | 'contains-identity' | 'too-uniform';

/** The faults in words that follow the name of the field. */
export const passwordFaultWords: Readonly<Record<PasswordFault, string>> = {
  'too-short': `must have at least ${minPasswordLength} characters`,
  'too-long': `must have at most ${maxPasswordLength} characters`,
  'too-common': 'must not be one of the most used passwords',
  'contains-identity': 'must not contain the name, e-mail address or phone number of the account',
  'too-uniform': `must have at least ${minDifferentCharacters} different characters`,
};

/** The most guessed passwords, and short stems that people extend with digits. */
const commonStems = [
  'password',
  'passw0rd',
  'testpassword',
  'qwerty',
  'qwertyuiop',
  'asdfghjkl',
  'letmein',
  'welcome',
  'iloveyou',
  'administrator',
  'admin',
  'changeme',
  'secret',
  'castellan',
  '1234567890',
  '0987654321',
];

/**
 * Checks a password as NIST SP 800-63B asks: length, no common value, nothing that names the person; no rule of character
 * classes. Returns every fault (S4-1).
 *
 * @param identity what must not be the password: e-mail address, phone number, name
 */
export function passwordFaults(password: string, identity: readonly string[]): PasswordFault[] {
  const faults: PasswordFault[] = [];
  const length = [...password].length;
  const folded = password.normalize('NFKC').toLowerCase();
  if (length < minPasswordLength) {
    faults.push('too-short');
  }
  if (length > maxPasswordLength) {
    faults.push('too-long');
  }
  const stem = folded.replace(/[^\p{L}\p{N}]+/gu, '').replace(/(?<=\p{L}.*)\d+$/u, '');
  if (commonStems.some((common) => stem === common || stem === common.repeat(2))) {
    faults.push('too-common');
  }
  const named = identity.flatMap((value) => [value, value.split('@')[0] ?? '']).map((value) => value.toLowerCase());
  if (named.some((value) => value.length >= 4 && folded.includes(value))) {
    faults.push('contains-identity');
  }
  if (new Set(folded).size < minDifferentCharacters) {
    faults.push('too-uniform');
  }
  return faults;
}
