/** What an `integer` column of PostgreSQL holds at most. */
export const maxInteger = 2_147_483_647;
