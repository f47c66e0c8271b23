/**
 * For what is promised within a second: room for a busy machine, and well before what is cached ends by itself, which would
 * hide that nobody was told.
 */
export const soonMs = 6_000;

/** Asks until an answer is right; for what happens a moment later in another process. @throws when time is up */
export async function eventually<Value, Right extends Value>(
  ask: () => Promise<Value>,
  isRight: (value: Value) => value is Right,
  timeoutMs?: number,
): Promise<Right>;
export async function eventually<Value>(
  ask: () => Promise<Value>,
  isRight: (value: Value) => boolean,
  timeoutMs?: number,
): Promise<Value>;
export async function eventually<Value>(
  ask: () => Promise<Value>,
  isRight: (value: Value) => boolean,
  timeoutMs = 60_000,
): Promise<Value> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await ask();
    if (isRight(value)) return value;
    if (Date.now() > deadline) throw new Error(`Still not right: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
