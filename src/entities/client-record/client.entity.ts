import type { Opt } from '@mikro-orm/postgresql';
import type { ClientAddress, ClientKind } from '../../domain/client-record/client.ts';
import { jsonb, timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantId, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

/**
 * A client record: a person with a CPF, or a company with a CNPJ (S4-2, S4-30). A deleted row stays and keeps its number (S4-20);
 * an erased one keeps nothing but its id.
 */
export const ClientEntity = defineEntity({
  name: 'Client',
  tableName: 'clients',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    kind: p.text().$type<ClientKind>().default('person'),
    name: p.text(),
    /** The folded name, by which lists are ordered. Computed by the database. */
    sort_name: p.text().generated('(folded(name)) stored').$type<Opt<string>>(),
    /** Eleven digits. Unique in the tenant, deleted ones included. */
    cpf: p.string().columnType('char(11)').nullable(),
    /** Fourteen characters, of which the first twelve may be letters. Unique like the CPF. */
    cnpj: p.string().columnType('char(14)').nullable(),
    birth_date: p.date().nullable(),
    /** Lower case. */
    email: p.text().nullable(),
    /** E.164. */
    phone_number: p.text().nullable(),
    address: jsonb<ClientAddress>().nullable(),
    /** The contact that it was made of. */
    contact_id: p.uuid().nullable(),
    /** The prospect that it was made of. */
    prospect_id: p.integer().nullable(),
    /** The file that it came with; its audit entry is one for the whole file. */
    import_id: p.uuid().nullable(),
    /** Deleted because it was merged into this one. */
    merged_into_id: p.uuid().nullable(),
    created_by: p.uuid().nullable(),
    ...versionedColumns,
    deleted_at: timestamp().nullable(),
    erased_at: timestamp().nullable(),
    /** Computed by the database. */
    is_active: p.boolean().generated('(deleted_at is null) stored').$type<Opt<boolean>>(),
  },
});

/** The folded words of the names, for the search (U-14). Written by a trigger of `clients`. */
export const ClientNameWordEntity = defineEntity({
  name: 'ClientNameWord',
  tableName: 'client_name_words',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    tenant_id: tenantId.primary(),
    is_deleted: p.boolean().primary(),
    word: p.text().primary(),
    /** The whole folded name: the order of hits, and what further words are looked for in. */
    name: p.text().primary(),
    client_id: p.uuid().primary(),
    kind: p.text().$type<ClientKind>(),
  },
});
