/**
 * Workflow task timeout of a workflow whose updates a caller waits for. The server's default is ten seconds, as long as a
 * call of the API waits: a task that a dying worker has taken, or has lost by evicting the workflow from its cache, has to
 * be given to another worker well before that.
 */
export const workflowTaskTimeout = '5 seconds';
