/** Carries the trace of a request into workflows and on to their activities. Loaded into the bundle by its path. */
export { interceptors } from '@temporalio/interceptors-opentelemetry/lib/workflow-interceptors.js';
