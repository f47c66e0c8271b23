/** A free port for whatever a test starts; the same function as the embedded stack's. */
export { freePort } from '../../src/dev/ports.ts';
