import { Listr, ListrLogger, PRESET_TIMER } from 'listr2';

import { type EmbeddedStack, startEmbeddedStack, type StepRunner } from './dev/embedded-stack.ts';
import { startupMessage } from './dev/startup-error.ts';

/** npm passes a Ctrl-C on that the terminal has sent to us already, so an echo within this time is not a second one. */
const signalEchoMs = 500;

/** Shows a step while it runs, with the time it took: moving on a terminal, line by line elsewhere. */
const step: StepRunner = async (title, run) => {
  // Listr runs tasks for their effect; the result and the true reason of a failure travel beside it.
  const result = Promise.withResolvers<Awaited<ReturnType<typeof run>>>();
  result.promise.catch(() => undefined);
  const list = new Listr(
    [
      {
        title,
        task: async (_context, task) => {
          try {
            result.resolve(await run((line) => (task.output = line)));
          } catch (error) {
            result.reject(error);
            throw new Error('see below', { cause: error }); // the reason is printed once, at the end
          }
        },
      },
    ],
    {
      fallbackRenderer: 'simple',
      rendererOptions: { timer: PRESET_TIMER, showErrorMessage: false },
      // Standard error is for the one line that says what to do.
      fallbackRendererOptions: { timer: PRESET_TIMER, logger: new ListrLogger({ useIcons: true, toStderr: [] }) },
      registerSignalListeners: false,
      exitOnError: false,
    },
  );
  await list.run();
  return result.promise;
};

/** The short table at the end: where everything is, and with whom to sign in. */
function summary(stack: EmbeddedStack, startedAt: number): string {
  const places: [string, string][] = [
    ['API', stack.apiUrl],
    ['API docs', `${stack.apiUrl}/docs`],
    ['Temporal Web', stack.temporalWebUrl],
    ['Health', `${stack.apiUrl}/health/ready`],
    ['Data', stack.dataFolder],
    ['Log', stack.logFile],
  ];
  const signIns = stack.signIns.map(({ email, password, role, totp_secret }) => [email, password, role, totp_secret]);
  return [
    '',
    `Castellan is ready after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s. Ctrl-C stops it.`,
    '',
    ...table(places),
    '',
    'Sample sign-ins (development only)',
    ...table([['E-mail', 'Password', 'Role', 'TOTP secret'], ...signIns]),
    '',
  ].join('\n');
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd());
}

async function main(): Promise<void> {
  const startedAt = performance.now();
  const ending = new AbortController();
  let stack: EmbeddedStack | undefined;
  let endingSince = 0;

  const end = async (reason: string, exitCode: number) => {
    endingSince = performance.now();
    process.stdout.write(`\n${reason}: stopping\n`);
    process.exitCode = exitCode;
    ending.abort();
    if (stack !== undefined) await stopAndExit(stack); // else the start ends at its next step and cleans up
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (!ending.signal.aborted) void end(signal, 0);
      // The second time we go at once; the guards of PostgreSQL and Temporal stop them.
      else if (performance.now() - endingSince > signalEchoMs) process.exit(1);
    });
  }

  // What it was doing is unknown from then on: everything is stopped, and nothing goes on.
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${error.stack ?? error.message}\n`);
    if (!ending.signal.aborted) void end('An error was not caught', 1);
  });

  try {
    stack = await startEmbeddedStack({
      source: process.env,
      step,
      signal: ending.signal,
      onUnexpectedEnd: (reason) => void end(reason, 1),
    });
  } catch (error) {
    if (!ending.signal.aborted) {
      process.stderr.write(`${startupMessage(error)}\n`);
      process.exitCode = 1;
    }
    process.exit();
  }
  if (ending.signal.aborted) return stopAndExit(stack);
  process.stdout.write(summary(stack, startedAt));
}

/** Exits explicitly: libraries keep handles open that would hold the process. */
async function stopAndExit(stack: EmbeddedStack): Promise<never> {
  await stack
    .stop((name) => process.stdout.write(`  ${name}\n`))
    .catch((error: unknown) => {
      process.stderr.write(`${startupMessage(error)}\n`);
      process.exitCode = 1;
    });
  process.exit();
}

await main();
