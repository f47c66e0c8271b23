import type { RemotePage } from '../../domain/integration/integration-records.ts';
import { answerHost } from '../../platform/guest/guest-entry.ts';
import type { PageAnswer, PageJob } from './guest-job.ts';
import { readPostgresPage } from './postgres-page.ts';
import { RemoteError } from './remote-fault.ts';

/** The process in which a page of a tenant's source is read. It knows no database, no key and no other tenant. */
answerHost(async (job): Promise<PageAnswer> => {
  try {
    return { page: await readPage(job as PageJob) };
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    const { fault, message, retryAfterMs } = error;
    return { fault, message: message.slice(0, 300), retryAfterMs };
  }
});

async function readPage({ config, secret, cursor, address, allow }: PageJob): Promise<RemotePage> {
  if (config.kind === 'postgres_source') {
    return readPostgresPage({ config, address: address ?? config.host, password: secret, cursor });
  }
  // Read here under suspicion only, so an ordinary start does not load it.
  const [{ connectHttp }, { createOutboundHttp }] = await Promise.all([
    import('./http-key-service.ts'),
    import('../../platform/outbound/outbound-http.ts'),
  ]);
  const outbound = createOutboundHttp({ allow });
  try {
    return await connectHttp(outbound, config, secret).pull(cursor);
  } finally {
    await outbound.close();
  }
}
