import { replacing, withPart } from './changed-function.ts';
import { onboardingFunctions } from './onboarding-functions-20261121.ts';

/** Every look opened a link. */
export const trackEveryLook = replacing(onboardingFunctions, 'track_onboarding_link_access');

/** A look by what may be a machine (`viewed`) is recorded, and opens nothing (U-19). */
export const trackViews = withPart(
  withPart(
    trackEveryLook,
    'found_outcome := coalesce(p_outcome, case',
    `found_outcome := case
          when p_outcome <> 'viewed' then p_outcome`,
  ),
  `else 'shown' end);`,
  `else coalesce(p_outcome, 'shown') end;`,
);
