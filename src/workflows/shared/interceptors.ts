/** Propagates the trace of a request to workflows and their activities. Loaded into the bundle by its path. */
export { interceptors } from '@temporalio/interceptors-opentelemetry/lib/workflow-interceptors.js';
