import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Slice } from './harness.ts';

/** What the load process is to send for one slice. */
export interface LoadJob {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly connections: number;
  readonly durationMs: number;
  readonly expectedStatus: number;
  /** Connection n repeats the request at the place n modulo their number. */
  readonly requests: readonly LoadRequest[];
  /** Instead of `requests`: connection n sends the n-th list once, and stops early at its end. */
  readonly sequences?: readonly (readonly LoadRequest[])[];
}

/** One request. */
export interface LoadRequest {
  /** Instead of the path of the job's address. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export type LoadAnswer = { readonly slice: Slice } | { readonly error: string };

/** The process that generates the load. */
export interface LoadProcess {
  /** @throws Error when an answer was not the expected one */
  run(job: LoadJob): Promise<Slice>;
  stop(): void;
}

export function startLoadProcess(): LoadProcess {
  const child: ChildProcess = fork(fileURLToPath(new URL('./load-process.ts', import.meta.url)), { stdio: 'inherit' });
  return {
    run: (job) =>
      new Promise((resolve, reject) => {
        const onExit = () => reject(new Error('The load process has ended.'));
        child.once('exit', onExit);
        child.once('message', (answer: LoadAnswer) => {
          child.off('exit', onExit);
          if ('error' in answer) reject(new Error(answer.error));
          else resolve(answer.slice);
        });
        child.send(job);
      }),
    stop: () => child.kill(),
  };
}
