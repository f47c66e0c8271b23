import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';

/** No policy may let a production flag change without approval (S2-60, S2-77); elsewhere the tenant decides. */
export function flagProductionFloor(environment: EnvironmentName | null): GateLevel {
  return environment === 'production' ? 'approval' : 'none';
}
