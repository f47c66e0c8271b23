import { z } from 'zod';
import { dataRequestKinds, dataRequestStatuses, downloadDays } from '../../domain/client-record/data-request.ts';
import { pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { clockValues, day, dayInput, proseText, reasonText, timestamp, uuid } from '../../platform/value-schemas.ts';
import { heldFormats } from '../../services/client-record/data-request/held-file.service.ts';

const requestFields = {
  id: uuid,
  client_id: uuid,
  client_name: z.string(),
  kind: z.enum(dataRequestKinds),
  status: z.enum(dataRequestStatuses),
  received_on: day,
  due_on: day.describe('Of the settings at the time it was opened'),
  days_left: z.int().nullable().describe('Until the due date, in the time zone of the tenant; negative when it is over, null when closed').register(clockValues),
  is_overdue: z.boolean().describe('Open past its due date').register(clockValues),
  reminder_days: z.array(z.int()).describe('How many days before the due date those who answer are reminded'),
  note: z.string().nullable(),
  refusal_reason: z.string().nullable(),
  created_by: uuid.nullable(),
  created_by_name: z.string().nullable(),
  approval_id: uuid.nullable().describe('The approved request by which it was fulfilled'),
  fulfilled_at: timestamp.nullable(),
  available_until: timestamp.nullable().describe(`Until when the file can be downloaded: ${downloadDays} days`),
  created_at: timestamp,
  updated_at: timestamp,
  version: z.int(),
};

/** A request of a client about their data, as lists show it. */
export const clientDataRequest = z.object(requestFields).meta({ id: 'ClientDataRequest' });

const linked = (id: z.ZodType) =>
  z.object({ id, name: z.string(), deleted_at: timestamp.nullable() }).nullable();

/** One request, with what is linked to the client and is not erased with it. */
export const clientDataRequestDetail = z
  .object({
    ...requestFields,
    open_approval_id: uuid.nullable().describe('The approval that is under way'),
    contact: linked(uuid).describe('The contact that the client is linked to: a record of its own, which an erasure does not touch'),
    prospect: linked(z.int()).describe('The prospect that the client is linked to: likewise'),
  })
  .meta({ id: 'ClientDataRequestDetail' });

/** A page of requests. */
export const clientDataRequestPage = pageOf(clientDataRequest).meta({ id: 'ClientDataRequestPage' });

/** Query of the list. */
export const clientDataRequestListQuery = z.strictObject({
  ...pageQuery,
  status: z.enum(dataRequestStatuses).optional(),
  kind: z.enum(dataRequestKinds).optional(),
  client_id: uuid.optional(),
  due_before: dayInput.optional().describe('Due before this day'),
  overdue: z.stringbool().optional().describe('Open past the due date, or not'),
});

/** Body of a new request. */
export const clientDataRequestCreation = z
  .strictObject({
    kind: z.enum(dataRequestKinds),
    received_on: dayInput.optional().describe('Default: today in the time zone of the tenant; the days of the law count from it'),
    note: proseText(500).nullable().optional().describe('How the client asked and was identified; cleared with an erasure'),
  })
  .meta({ id: 'ClientDataRequestCreation' });

/** Body of a refusal. */
export const clientDataRequestRefusal = z.strictObject({ reason: reasonText }).meta({ id: 'ClientDataRequestRefusal' });

/** Query of the download. */
export const clientDataFileQuery = z.strictObject({ format: z.enum(heldFormats).default('json') });

const settingsFields = {
  data_request_days: z.int().min(1).max(90).describe('Days that the tenant has to answer a request'),
  reminder_days: z
    .array(z.int().min(0).max(90))
    .max(10)
    .refine((days) => new Set(days).size === days.length, 'must not name a day twice')
    .describe('How many days before the due date those who answer are reminded'),
};

/** How long a tenant has to answer requests. */
export const clientSettings = z
  .object({
    ...settingsFields,
    version: z.int().describe('0 while the defaults of the product apply'),
    updated_at: timestamp.nullable(),
  })
  .meta({ id: 'ClientSettings' });

/** The settings as a whole. */
export const clientSettingsBody = z.strictObject(settingsFields).meta({ id: 'ClientSettingsUpdate' });
