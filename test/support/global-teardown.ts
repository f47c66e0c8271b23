/** Stops what the global setup has started and removes its folder. */
export default async function globalTeardown(): Promise<void> {
  await globalThis.castellanTestServers?.stop();
  globalThis.castellanTestServers = undefined;
}
