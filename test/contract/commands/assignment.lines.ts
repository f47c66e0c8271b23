import {
  createAssignmentBatch,
  createCampaign,
  createCampaignMember,
  createContact,
  newContactAssignment,
} from '../../support/factories/assignment.ts';
import { uniqueName } from '../../support/factories/defaults.ts';
import { createOnboardingLink } from '../../support/factories/onboarding.ts';
import { createUser } from '../../support/factories/identity.ts';
import { insertRow } from '../../support/factories/row-insertion.ts';
import { ifMatch, inTransaction } from './command-line.ts';
import type { CommandLine } from './command-line.ts';
import type { CommandStage } from './stage.ts';

const users = '/api/admin/users';
const campaigns = '/api/admin/campaigns';
const contacts = '/api/admin/contacts';
const onboarding = '/api/admin/onboarding';

/** A member of the pool of an active campaign. */
async function memberOf({ db }: CommandStage) {
  const [user, campaign] = [await createUser(db), await createCampaign(db, { status: 'active' })];
  await createCampaignMember(db, { user_id: user.id, campaign_id: campaign.id });
  return { user_id: user.id, campaign_id: campaign.id };
}

/** A contact in somebody's care. */
async function careOf({ db }: CommandStage) {
  const [user, contact] = [await createUser(db), await createContact(db)];
  await insertRow(db, 'user_contact_assignment', newContactAssignment({ user_id: user.id, contact_id: contact.id }));
  return { user_id: user.id, contact_id: contact.id };
}

export const assignmentLines: readonly CommandLine[] = [
  inTransaction('createCampaign', async () => ({ path: campaigns, body: { name: uniqueName('campaign'), status: 'active' } })),
  inTransaction('updateCampaign', async ({ db }) => {
    const { id } = await createCampaign(db);
    return { path: `${campaigns}/${id}`, body: { name: uniqueName('renamed') }, headers: ifMatch(1) };
  }),
  inTransaction('deleteCampaign', async ({ db }) => {
    return { path: `${campaigns}/${(await createCampaign(db)).id}`, headers: ifMatch(1) };
  }),
  inTransaction('updateCampaignMember', async (stage) => {
    const { user_id, campaign_id } = await memberOf(stage);
    return { path: `${campaigns}/${campaign_id}/members/${user_id}`, body: { weight: 200 }, other: { body: { weight: 300 } } };
  }),
  inTransaction('autoAssignContacts', async (stage) => {
    const { campaign_id } = await memberOf(stage);
    const body = async () => ({ contact_ids: [(await createContact(stage.db)).id] });
    return { path: `${campaigns}/${campaign_id}/auto-assign`, body: await body(), other: { body: await body() } };
  }),
  inTransaction('createContact', async () => ({ path: contacts, body: { name: 'New Contact' } })),
  inTransaction('updateContact', async ({ db }) => {
    return { path: `${contacts}/${(await createContact(db)).id}`, body: { name: 'Renamed' }, headers: ifMatch(1) };
  }),
  inTransaction('deleteContact', async ({ db }) => {
    return { path: `${contacts}/${(await createContact(db)).id}`, headers: ifMatch(1) };
  }),
  inTransaction('importContacts', async () => {
    const body = (name: string) => ({ csv: `name,email\n${name},${uniqueName('contact')}@contacts.test\n` });
    return { path: `${contacts}/import`, body: body('One'), other: { body: body('Two') } };
  }),
  inTransaction('assignCampaigns', async ({ db }) => {
    const [user, campaign] = [await createUser(db), await createCampaign(db, { status: 'active' })];
    const body = { campaign_ids: [campaign.id] };
    return { path: `${users}/${user.id}/assign-campaigns`, body, other: { body: { ...body, weight: 200 } } };
  }),
  inTransaction('assignContacts', async ({ db }) => {
    const [user, contact] = [await createUser(db), await createContact(db)];
    const body = { contact_ids: [contact.id] };
    return { path: `${users}/${user.id}/assign-contacts`, body, other: { body: { ...body, on_conflict: 'fail' } } };
  }),
  inTransaction('removeUserCampaign', async (stage) => {
    const { user_id, campaign_id } = await memberOf(stage);
    return { path: `${users}/${user_id}/campaigns/${campaign_id}` };
  }),
  inTransaction('removeUserContact', async (stage) => {
    const { user_id, contact_id } = await careOf(stage);
    return { path: `${users}/${user_id}/contacts/${contact_id}` };
  }),
  inTransaction('cancelAssignmentBatch', async ({ db }) => {
    const { id } = await createAssignmentBatch(db, { from_user_id: (await createUser(db)).id });
    return { path: `/api/admin/assignment-batches/${id}/cancel` };
  }),
  inTransaction('handOverContacts', async (stage) => {
    const { user_id } = await careOf(stage);
    const body = { to_user_id: (await createUser(stage.db)).id };
    return { path: `${users}/${user_id}/hand-over`, body, other: { body: { to_user_id: null } } };
  }),
];

let seconds = 3_600;

export const onboardingLines: readonly CommandLine[] = [
  inTransaction('createOnboardingLink', async () => {
    const body = { recipient_name: 'New Colleague', purpose: 'first day' };
    return { path: `${onboarding}/create-link`, body, other: { body: { ...body, purpose: 'second day' } } };
  }),
  inTransaction('revokeOnboardingLink', async ({ db, admin }) => {
    const { id } = await createOnboardingLink(db, { created_by: admin.user_id });
    return { path: `${onboarding}/link/${id}/revoke`, body: { reason: 'lost' } };
  }),
  inTransaction('extendOnboardingLink', async ({ db, admin }) => {
    const { id } = await createOnboardingLink(db, { created_by: admin.user_id });
    const body = (extend_seconds: number) => ({ extend_seconds });
    return { path: `${onboarding}/link/${id}/extend`, body: body(7_200), other: { body: body(3_600) } };
  }),
  inTransaction('updateOnboardingSettings', async () => {
    seconds += 1;
    const body = (default_life_seconds: number) => ({ default_life_seconds });
    return { path: `${onboarding}/settings`, body: body(seconds), other: { body: body(seconds + 60) } };
  }),
  { operationId: 'saveOnboardingProgress', kind: 'none', reason: 'public: callers without an account would share their keys' },
  { operationId: 'completeOnboarding', kind: 'none', reason: 'public: completing is the same however often it is done' },
];
