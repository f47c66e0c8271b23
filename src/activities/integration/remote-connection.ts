import type { KeyedConfig, PulledConfig } from '../../domain/integration/integration.ts';
import type { OutboundHttp } from '../../platform/outbound/outbound-http.ts';
import type { KeyService, RemoteSource } from './remote-source.ts';
import { connectHttp } from './http-key-service.ts';
import { connectPostgres } from './postgres-source.ts';

/** The remote system of a configuration. Nothing is sent yet. */
export function connectRemote(outbound: OutboundHttp, config: PulledConfig, secret: string): RemoteSource {
  return config.kind === 'postgres_source'
    ? connectPostgres(outbound, config, secret)
    : connectHttp(outbound, config, secret);
}

/** {@link connectRemote} for a service whose keys are managed there. */
export function connectKeyService(outbound: OutboundHttp, config: KeyedConfig, secret: string): KeyService {
  return connectHttp(outbound, config, secret);
}

