import { totpCodeOfStep, totpStepAt } from '../../src/platform/security/totp.ts';
import type { SignedIn } from './api.ts';

const usedSteps = new Map<string, number>();

/** A code of a time step that this test process has not used for this person yet. */
export async function freshTotpCode(person: Pick<SignedIn, 'user_id' | 'totp_secret'>): Promise<string> {
  for (;;) {
    const step = totpStepAt(Date.now());
    if ((usedSteps.get(person.user_id) ?? 0) < step) {
      usedSteps.set(person.user_id, step);
      return totpCodeOfStep(person.totp_secret, step);
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
