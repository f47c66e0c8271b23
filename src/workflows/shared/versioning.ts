import { setWorkflowOptions, workflowInfo } from '@temporalio/workflow';

/**
 * Pins a workflow to the worker version it began on: what was decided by the rules of one release is carried out by the
 * same rules, whatever is deployed meanwhile. For workflows that wait for people or watch a rollout.
 *
 * Declares nothing where workers are not versioned (`TEMPORAL_WORKER_BUILD_ID` unset), because the server refuses tasks of
 * a worker that declares a versioning behaviour without a version.
 */
export function pinnedVersioning<Args extends unknown[], Result>(workflow: (...args: Args) => Promise<Result>): void {
  setWorkflowOptions(() => (isVersioned() ? { versioningBehavior: 'PINNED' } : {}), workflow);
}

/** Whether the worker that ran the first task of this workflow belongs to a deployment. */
function isVersioned(): boolean {
  const version = workflowInfo().currentDeploymentVersion;
  return version !== undefined && version.deploymentName !== '';
}
