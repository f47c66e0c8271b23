import type { ProcessDeps } from '../platform/process-deps.ts';

/** The parts of a worker process through which activities act. */
export type ActivityDeps = ProcessDeps;
