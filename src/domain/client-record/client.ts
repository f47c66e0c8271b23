/** What a client is: a person with a CPF, or a company with a CNPJ. */
export const clientKinds = ['person', 'company'] as const;
export type ClientKind = (typeof clientKinds)[number];

/** A postal address, as people write it. */
export interface ClientAddress {
  readonly line1: string;
  readonly line2: string | null;
  readonly city: string | null;
  /** State or province. */
  readonly region: string | null;
  readonly postal_code: string | null;
  /** ISO 3166-1, two letters. */
  readonly country: string | null;
}

/** The earliest birth date that is taken (S4-21). */
export const firstBirthDate = '1900-01-01';
