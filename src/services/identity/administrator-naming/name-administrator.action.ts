import { z } from 'zod';
import { read } from '../../../platform/database/read.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem, notFound } from '../../../platform/problem.ts';
import { email, personName, reasonText, uuid } from '../../../platform/value-schemas.ts';
import { defaultTenantId } from '../../../domain/shared/actor.ts';
import { defineAction } from '../../actions/action.ts';
import { assertDefaultTenant } from '../platform-staff.ts';
import { findTenantById, tenantTitle } from '../tenant.queries.ts';
import { putNaming } from './administrator-naming.service.ts';

const nameAdministratorPayload = z.strictObject({
  tenant_id: uuid,
  email,
  full_name: personName,
  reason: reasonText,
});

type Payload = z.output<typeof nameAdministratorPayload>;

/**
 * The platform's staff name an administrator of a tenant that cannot help itself any more (R12): by an address that they know, and
 * by two of them. The person gets a link; the staff never decide in the tenant.
 */
export const tenantNameAdministrator = defineAction({
  name: 'tenant.name-administrator',
  title: 'Name an administrator of a tenant',
  permission: 'tenant:manage',
  payload: nameAdministratorPayload,
  environment: () => null,
  floor: () => 'approval',
  reason: ({ reason }) => reason,
  describe: ({ email: address, tenant_id }) => `Name ${address} as an administrator of the tenant ${tenant_id}.`,
  present: async (db, scope, { tenant_id, email: address, full_name }) => {
    const [tenant] = await read(db, scope, findTenantById(tenant_id));
    return {
      description:
        `Name ${full_name} as an administrator of the tenant ${tenantTitle(tenant_id, tenant)}: ${address} gets a one-time link to a new password and a new ` +
        'second factor. Approve only an address that is known to be the person’s.',
      changes: [{ field: 'administrator', before: null, after: `${full_name} <${address}>` }],
    };
  },
  check: assertNameable,
  execute: async (tx, payload, authority) => {
    await assertNameable(tx, payload);
    const { tenant_id: named_tenant_id, ...person } = payload;
    const approval_id = authority.kind === 'approval' ? authority.approval_id : null;
    const naming_id = await putNaming(tx, { named_tenant_id, purpose: 'administrator_recovery', approval_id, ...person });
    return { naming_id };
  },
  undo: () => null,
});

async function assertNameable(tx: Tx, { tenant_id }: Payload): Promise<void> {
  assertDefaultTenant(tx.actor);
  if (tenant_id === defaultTenantId) {
    throw new Problem({
      code: 'resource.conflict',
      detail: 'The operator names the administrators of the tenant that runs the platform: npm run admin:create -- --recover.',
    });
  }
  const [tenant] = await read(tx, tx.actor, findTenantById(tenant_id));
  if (tenant === undefined) throw notFound('tenant');
  if (tenant.status !== 'active') {
    throw new Problem({ code: 'resource.conflict', detail: 'The tenant is suspended: its people cannot sign in. Resume it first.' });
  }
}
