import { z } from 'zod';
import { onboardingLifeQuery, setOnboardingLife } from '../../services/onboarding/onboarding-settings.service.ts';
import { defaultOnboardingLife, onboardingLifeLimits } from '../../domain/onboarding/onboarding.ts';
import { route } from '../http/route.ts';

const path = '/api/admin/onboarding/settings';
const tag = 'onboarding';
const seconds = z.int().min(onboardingLifeLimits.minSeconds).max(onboardingLifeLimits.maxSeconds);
const life = {
  default_life_seconds: seconds.describe('Life of a link for which no time is asked, and what an extension gives'),
  max_step_seconds: seconds.describe('Most that a link is given at a time'),
  max_life_seconds: seconds.describe('Longest time from the creation of a link to its last end'),
};
const LifeBody = z.object(life).meta({ id: 'OnboardingSettings' });

const getSettings = route({
  operationId: 'getOnboardingSettings',
  method: 'get',
  path,
  tag,
  summary: 'How long onboarding links live',
  permission: 'onboarding:read',
  gate: 'none',
  responses: { 200: LifeBody },
  handler: async ({ read }) => (await read(onboardingLifeQuery()))[0] ?? defaultOnboardingLife,
});

const updateSettings = route({
  operationId: 'updateOnboardingSettings',
  method: 'put',
  path,
  tag,
  summary: 'Change how long onboarding links live; what is left out stays',
  description: 'Links that are there keep the longest life that they were made with.',
  permission: 'onboarding:manage',
  gate: 'none',
  body: z.strictObject(life).partial().meta({ id: 'OnboardingSettingsUpdate' }),
  responses: { 200: LifeBody },
  handler: ({ body, unitOfWork }) => unitOfWork((tx) => setOnboardingLife(tx, body)),
});

/** Life of onboarding links, by tenant (S3-51). */
export const onboardingSettingsRoutes = [getSettings, updateSettings];
