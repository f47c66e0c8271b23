import { availableParallelism } from 'node:os';
import type { PostgresConfig, PulledConfig } from '../../domain/integration/integration.ts';
import { FairSlots } from '../../platform/fair-slots.ts';
import { startGuest } from '../../platform/guest/guest-process.ts';
import type { OutboundHttp } from '../../platform/outbound/outbound-http.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { pageAnswer } from './guest-job.ts';
import type { PageJob } from './guest-job.ts';
import { connectHttp } from './http-key-service.ts';
import { RemoteError, outboundFault } from './remote-fault.ts';
import type { RemoteSource } from './remote-source.ts';

type Deps = Pick<ProcessDeps, 'env' | 'log' | 'outbound'>;

/** A source that is to be read for one turn. */
interface ReadSource {
  readonly tenant_id: string;
  readonly config: PulledConfig;
  readonly secret: string;
  /** The process that read it before has ended in the middle: this one may have been the reason. */
  readonly isSuspect: boolean;
  readonly signal: AbortSignal;
}

/** Reads the sources of tenants where they can do no harm. */
export interface SourceReader {
  /**
   * Opens a source for one turn of work.
   *
   * @param work gets the source, and whether others wait for this turn to end.
   */
  read<Result>(source: ReadSource, work: (source: RemoteSource, isAwaited: () => boolean) => Promise<Result>): Promise<Result>;
}

const pageEntry = new URL('./page-guest.ts', import.meta.url);
/** Longer than what the statements in it may take, so that only a source which gets around those meets it. */
const pageDeadlineMs = 20_000;
/** On a machine that leaves few cores to guests. */
const busyPageDeadlineMs = 60_000;
/** Many times what an honest page costs. */
const pageCpuMs = 5_000;
const bounds = { maxRssMb: 300, cpuSeconds: 60, niceness: 10 };

/**
 * Makes the reader of a worker. What a database sends shapes what its driver does, so it is read in a process of its own, one
 * for each turn: nothing of a tenant is left for the next one. Services over HTTP are read here, under the bounds of the
 * outbound client, unless they are suspects: those run in a process, one at a time.
 */
export function createSourceReader(deps: Deps): SourceReader {
  const cores = availableParallelism();
  // No tenant holds all cores, where there are several.
  const turns = new FairSlots({ slots: cores, perKey: Math.max(1, cores - 1) });
  const suspects = new FairSlots({ slots: 1 });
  const inProcess: SourceReader['read'] = ({ tenant_id, config, secret, signal }, work) =>
    turns.run(tenant_id, () => readInProcess(deps, { config, secret, signal }, (source) => work(source, () => turns.isAwaited())), signal);
  return {
    read: (source, work) => {
      const { config, secret, isSuspect, signal, tenant_id } = source;
      if (isSuspect) return suspects.run(tenant_id, () => inProcess(source, work), signal);
      if (config.kind === 'postgres_source') return inProcess(source, work);
      return work(connectHttp(deps.outbound, config, secret), () => false);
    },
  };
}

async function readInProcess<Result>(
  { log, outbound, env }: Deps,
  { config, secret, signal }: Pick<ReadSource, 'config' | 'secret' | 'signal'>,
  work: (source: RemoteSource) => Promise<Result>,
): Promise<Result> {
  const guest = await startGuest(pageEntry, bounds, log, signal);
  try {
    return await work({
      pull: async (cursor) => {
        const address = config.kind === 'postgres_source' ? await checkedAddress(outbound, config) : null;
        const job: PageJob = { config, secret, cursor, address, allow: env.OUTBOUND_ALLOW };
        const limits = { deadlineMs: pageDeadlineMs, busyDeadlineMs: busyPageDeadlineMs, cpuMs: pageCpuMs, signal };
        const answer = pageAnswer.safeParse(await guest.ask(job, limits));
        if (!answer.success) throw new RemoteError('unexpected', 'The page holds what no page may hold.');
        if ('page' in answer.data) return answer.data.page;
        const { fault, message, retryAfterMs } = answer.data;
        throw new RemoteError(fault, message, { retryAfterMs });
      },
    });
  } finally {
    guest.close();
  }
}

/** The address to connect to; names are resolved and checked here, where the list of exceptions is. @throws RemoteError */
async function checkedAddress(outbound: Pick<OutboundHttp, 'addressesOf'>, { host, port, tls }: PostgresConfig): Promise<string> {
  try {
    const { addresses, isExempt } = await outbound.addressesOf(host, port);
    if (tls === 'disable' && !isExempt) throw new RemoteError('address_refused', 'Connections over the Internet need TLS.');
    return addresses[0]?.address ?? host;
  } catch (error) {
    throw outboundFault(error) ?? error;
  }
}
