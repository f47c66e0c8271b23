import { z } from 'zod';
import type { JsonObject, JsonValue } from '../../domain/shared/canonical.ts';
import { inspectSchema } from '../../domain/config/config-schema-bounds.ts';
import type { SchemaIssue } from '../../domain/config/config-schema-bounds.ts';
import { FairSlots, SlotsFullError } from '../../platform/fair-slots.ts';
import { GuestEndedError, startGuest } from '../../platform/guest/guest-process.ts';
import type { Guest } from '../../platform/guest/guest-process.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import type { Logger } from '../../platform/observability/logger.ts';
import { Problem } from '../../platform/problem.ts';

/** The schema of an environment that has none yet: any object, no secrets. */
export const openSchema: JsonObject = { type: 'object' };

/** Checks documents against schemas, outside of this process. */
export interface SchemaJudge {
  /**
   * Checks a document against its schema and finds its secrets.
   *
   * @param tenantId whose share of the checks it takes.
   * @param pointer of the two in the request, for the problem.
   * @returns JSON pointers of the secrets.
   * @throws Problem `request.invalid` for a schema that is none or costs too much, and for every place at which the document
   *   breaks it; `service.busy` when too many checks wait.
   */
  check(tenantId: string, question: { schema: JsonObject; document: JsonValue }, pointer: string): Promise<Set<string>>;
  /** Ends the process that checks. */
  close(): void;
}

const entry = new URL('./config-schema-guest.ts', import.meta.url);
/** What a check may cost. By the clock it may take longer, because everything else goes first on a busy machine. */
const jobBounds = { cpuMs: 2_000, deadlineMs: 10_000 };
/** Somebody waits for the answer, so it yields less than what nobody waits for. */
const bounds = { maxRssMb: 300, cpuSeconds: 60, niceness: 5 };
/** A process that has used so much is replaced, so that its limit does not end it in the middle of an innocent check. */
const retiredAfterCpuSeconds = 30;
const maxWaiting = 20;
const maxWaitingPerTenant = 10;

const issues = z.array(z.strictObject({ pointer: z.string().max(1_100), detail: z.string().max(600) })).max(20);
const judgement = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('valid'), secrets: z.array(z.string()) }),
  z.strictObject({ kind: z.literal('schema'), issues }),
  z.strictObject({ kind: z.literal('document'), issues }),
]);

/** Makes the judge of an API process. Its process is started when it is first needed, and again when it was ended. */
export function createSchemaJudge(log: Logger): SchemaJudge {
  const slots = new FairSlots({ slots: 1, maxWaiting, maxWaitingPerKey: maxWaitingPerTenant });
  let guest: Promise<Guest> | undefined;
  const closing = new AbortController();

  const start = (): Promise<Guest> => {
    const starting = startGuest(entry, bounds, log, closing.signal);
    guest = starting;
    starting.catch(() => {
      if (guest === starting) guest = undefined;
    });
    return starting;
  };
  const replace = (old: Guest): void => {
    old.close();
    guest = undefined;
    if (!closing.signal.aborted) void start().catch(() => undefined);
  };
  const ask = async (question: object): Promise<unknown> => {
    const running = await (guest ?? start());
    try {
      return await running.ask(question, jobBounds);
    } finally {
      if (!running.isAlive() || running.cpuSeconds() > retiredAfterCpuSeconds) replace(running);
    }
  };

  return {
    check: async (tenantId, question, pointer) => {
      assertWithin(inspectSchema(question.schema).issues, `${pointer}/schema`);
      const judged = judgement.parse(await slots.run(tenantId, () => ask(question)).catch((error: unknown) => {
        throw problemOf(error, pointer);
      }));
      if (judged.kind === 'valid') return new Set(judged.secrets);
      assertWithin(judged.issues, `${pointer}/${judged.kind}`);
      throw new Error('A schema was refused without a reason.');
    },
    close: () => {
      closing.abort();
      void guest?.then((running) => running.close(), () => undefined);
    },
  };
}

function assertWithin(found: readonly SchemaIssue[], base: string): void {
  if (found.length === 0) return;
  throw invalidInput(found.map(({ pointer, detail }) => ({ pointer: `${base}${pointer}`, detail })));
}

function problemOf(error: unknown, pointer: string): unknown {
  if (error instanceof SlotsFullError) {
    const detail = 'Too many configurations are being checked. Nothing was changed.';
    return new Problem({ code: 'service.busy', detail, retryAfterSeconds: 2, cause: error });
  }
  if (!(error instanceof GuestEndedError)) return error;
  if (error.isOfGuest) return invalidInput([{ pointer: `${pointer}/schema`, detail: 'takes too much time or memory to check; simplify it' }]);
  const detail = 'Configurations cannot be checked at present. Nothing was changed.';
  return new Problem({ code: 'service.unavailable', detail, retryAfterSeconds: 2, cause: error });
}
