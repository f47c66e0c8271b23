import { invariants } from './checks/violation.ts';
import type { Finding, InvariantNumber, Violation } from './checks/violation.ts';

const shownOfAKind = 5;

/** What was found, invariant by invariant, with the figures of each and every kind of violation by name. */
export function reportOf(findings: readonly Finding[]): string {
  const lines: string[] = [];
  for (const { invariant, figures, violations } of findings) {
    lines.push(`${invariant}. ${invariants[invariant]}: ${violations.length === 0 ? 'holds' : `VIOLATED ${violations.length} times`}`);
    lines.push(`   ${Object.entries(figures).map(([name, value]) => `${name} ${value}`).join(', ')}`);
    for (const [name, ones] of byName(violations)) {
      lines.push(`   - ${name}: ${ones.length}`);
      lines.push(...ones.slice(0, shownOfAKind).map(({ detail }) => `       ${detail}`));
      if (ones.length > shownOfAKind) lines.push(`       … and ${ones.length - shownOfAKind} more in violations.jsonl`);
    }
  }
  return lines.join('\n');
}

function byName(violations: readonly Violation[]): Map<string, Violation[]> {
  return Map.groupBy(violations, ({ name }) => name);
}

/** The invariants that do not hold. */
export function violated(findings: readonly Finding[]): InvariantNumber[] {
  return findings.filter(({ violations }) => violations.length > 0).map(({ invariant }) => invariant);
}
