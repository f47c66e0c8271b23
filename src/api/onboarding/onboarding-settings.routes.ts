import { onboardingSettingsQuery, updateOnboardingSettings } from '../../services/onboarding/onboarding-settings.service.ts';
import { defaultOnboardingSettings } from '../../domain/onboarding/onboarding.ts';
import { route } from '../http/route.ts';
import { OnboardingSettingsBody, settingsUpdate } from './onboarding.schemas.ts';

const path = '/api/admin/onboarding/settings';
const tag = 'onboarding';
const getSettings = route({
  operationId: 'getOnboardingSettings',
  method: 'get',
  path,
  tag,
  summary: 'Lifetime settings of onboarding links',
  permission: 'onboarding:read',
  gate: 'none',
  responses: { 200: OnboardingSettingsBody },
  handler: async ({ read }) => (await read(onboardingSettingsQuery()))[0] ?? defaultOnboardingSettings,
});

const updateSettings = route({
  operationId: 'updateOnboardingSettings',
  method: 'put',
  path,
  tag,
  summary: 'Change the lifetime settings of onboarding links; omitted fields are unchanged',
  description: 'Existing links keep the maximum lifetime that they were created with.',
  permission: 'onboarding:manage',
  gate: 'none',
  body: settingsUpdate,
  responses: { 200: OnboardingSettingsBody },
  handler: ({ body, change }) => change((tx) => updateOnboardingSettings(tx, body)),
});

/** How long onboarding links of a tenant live (S3-51). */
export const onboardingSettingsRoutes = [getSettings, updateSettings];
