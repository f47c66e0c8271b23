import { verifyChain } from '../../src/services/audit/audit-chain-verification.service.ts';
import type { VerifyAnswer } from '../cases/audit-verify.ts';

/** Verifies one chain as it is in the database and prints the time and memory it took. */
const started = performance.now();
const cpuBefore = process.cpuUsage();
const { state, size } = await verifyChain(process.env.DATABASE_URL ?? '', process.argv[2] ?? '');
const { user, system } = process.cpuUsage(cpuBefore);
const answer: VerifyAnswer = {
  intact: state !== 'damaged',
  size,
  durationMs: performance.now() - started,
  cpuMs: (user + system) / 1000,
  maxRssMb: process.resourceUsage().maxRSS / 1024,
};
process.send?.(answer, () => process.disconnect());
