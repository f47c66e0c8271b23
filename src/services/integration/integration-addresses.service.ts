import { addressesOf } from '../../domain/integration/integration.ts';
import type { IntegrationConfig } from '../../domain/integration/integration.ts';
import { OutboundFailedError, OutboundRefusedError } from '../../platform/outbound/outbound-http.ts';
import type { OutboundHttp } from '../../platform/outbound/outbound-http.ts';
import { Problem } from '../../platform/problem.ts';

/**
 * Refuses a configuration whose addresses this system may not connect to, whatever the protocol. Passing is no guarantee
 * for later: every call checks again.
 *
 * @throws Problem `request.invalid` (422) with a pointer for every such address.
 */
export async function assertPermittedAddresses(
  outbound: Pick<OutboundHttp, 'check' | 'addressesOf'>,
  config: IntegrationConfig,
): Promise<void> {
  const checks =
    config.kind === 'postgres_source'
      ? [{ pointer: '/config/host', check: () => checkDatabase(outbound, config) }]
      : addressesOf(config).map(({ pointer, url }) => ({ pointer, check: () => outbound.check(url) }));
  const errors: { pointer: string; detail: string }[] = [];
  for (const { pointer, check } of checks) {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof OutboundRefusedError) && !(error instanceof OutboundFailedError)) throw error;
      errors.push({ pointer, detail: error.message });
    }
  }
  if (errors.length === 0) return;
  throw new Problem({ code: 'request.invalid', detail: 'Give addresses that the public Internet can reach.', errors });
}

async function checkDatabase(
  outbound: Pick<OutboundHttp, 'addressesOf'>,
  { host, port, tls }: Extract<IntegrationConfig, { kind: 'postgres_source' }>,
): Promise<void> {
  const { isExempt } = await outbound.addressesOf(host, port);
  if (tls === 'disable' && !isExempt) throw new OutboundRefusedError('scheme', 'Connections over the Internet need TLS.');
}
