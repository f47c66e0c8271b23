/**
 * How long a worker may hold a task of a workflow that answers people. The server's default is ten seconds, which is also
 * how long a caller of the API waits: a task that a dying worker has taken, or has lost while it dropped the workflow from
 * its cache, has to be given to another well before.
 */
export const workflowTaskTimeout = '5 seconds';
