import { z } from 'zod';
import { clientKinds, firstBirthDate } from '../../domain/client-record/client.ts';
import { cnpjInput, cpfChange, cpfInput } from '../../platform/document-numbers.ts';
import { countryCode, day, email, lineText, phoneNumber, uuid } from '../../platform/value-schemas.ts';

/** The name of a client, composed (NFC), so that equal names are equal texts. */
const clientName = lineText(100)
  .min(2)
  .regex(/[\p{L}\p{N}]/u, 'must have a letter or a digit')
  .overwrite((text) => text.normalize('NFC'));

/** From 1900 on (S4-21); the last day is the tenant's today, which the service knows. */
const birthDate = day.refine((text) => text >= firstBirthDate, `must not be before ${firstBirthDate}`);

const addressLine = lineText(200);

/** A postal address; only its first line is required. */
export const clientAddress = z
  .strictObject({
    line1: addressLine,
    line2: addressLine.nullable().default(null),
    city: lineText(100).nullable().default(null),
    region: lineText(100).nullable().default(null).describe('State or province'),
    postal_code: lineText(20).nullable().default(null),
    country: countryCode.nullable().default(null),
  })
  .meta({ id: 'ClientAddress' });

/** The fields of a client record that people write, without defaults. */
export const clientFields = {
  name: clientName,
  cpf: cpfInput.nullable().describe('Persons only; plain or masked'),
  cnpj: cnpjInput.nullable().describe('Companies only; plain or masked, letters in any case'),
  birth_date: birthDate.nullable().describe('Persons only; from 1900-01-01 to today in the time zone of the tenant'),
  email: email.nullable(),
  phone_number: phoneNumber.nullable().describe('E.164, such as +5511987654321'),
  address: clientAddress.nullable(),
};

/** A new client record, in a JSON body. What is left out is null. */
export const clientCreation = z
  .strictObject({
    kind: z.enum(clientKinds).default('person'),
    name: clientFields.name,
    cpf: clientFields.cpf.default(null),
    cnpj: clientFields.cnpj.default(null),
    birth_date: clientFields.birth_date.default(null),
    email: clientFields.email.default(null),
    phone_number: clientFields.phone_number.default(null),
    address: clientFields.address.default(null),
    contact_id: uuid.nullable().default(null).describe('The contact that the client is (X-10)'),
  })
  .meta({ id: 'ClientCreation' });

/** The values of a new client record. */
export type ClientValues = Omit<z.output<typeof clientCreation>, 'contact_id'>;

/** Body of a change; what is left out stays. The masked CPF of the record, as it is shown, means that it stays. */
export const clientUpdate = z
  .strictObject({
    ...clientFields,
    cpf: cpfChange.nullable().describe('Plain or masked; the shown form with asterisks leaves it as it is'),
  })
  .partial()
  .meta({ id: 'ClientUpdate' });
