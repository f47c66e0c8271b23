import { Migration20261121090000_core } from './20261121090000_core.ts';

/** The one migration chain, oldest first. Merged migrations are frozen; each has an `up` and a `down`. */
export const migrationsList = [
  { name: '20261121090000_core', class: Migration20261121090000_core },
];
