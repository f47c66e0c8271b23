import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Env } from '../../../src/platform/env.ts';
import { freePort } from '../../../src/dev/ports.ts';
import { eventually } from '../eventually.ts';

const readyTimeoutMs = 60_000;

/** A worker as a process of its own, that may not poll yet. */
export interface WorkerProcess {
  readonly child: ChildProcess;
  /** What it says of itself at `/health/ready`; null while it does not answer. */
  readiness(): Promise<{ status: number; body: Record<string, unknown> } | null>;
  /** What it has written to its standard error. */
  said(): string;
}

/**
 * A worker as a process of its own, so that it can be killed; waits until it polls.
 *
 * @throws with what it said when it ends instead.
 */
export async function startWorkerProcess(env: Env): Promise<ChildProcess> {
  const { child, readiness, said } = await launchWorkerProcess(env);
  const isReady = async () => (await readiness())?.status === 200;
  await eventually(async () => child.exitCode !== null || (await isReady()), (settled) => settled, readyTimeoutMs);
  if (child.exitCode !== null) throw new Error(`the worker ended with ${child.exitCode}: ${said()}`);
  return child;
}

/** Starts the process and waits for nothing. */
export async function launchWorkerProcess(env: Env): Promise<WorkerProcess> {
  const probePort = await freePort();
  const child = spawn(process.execPath, ['src/worker.ts'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'test',
      LOG_LEVEL: 'silent',
      WORKER_PORT: String(probePort),
      DATABASE_URL: env.DATABASE_URL,
      TEMPORAL_ADDRESS: env.TEMPORAL_ADDRESS,
      TEMPORAL_NAMESPACE: env.TEMPORAL_NAMESPACE,
      TEMPORAL_TASK_QUEUE: env.TEMPORAL_TASK_QUEUE,
      WORKFLOW_BUNDLE: env.WORKFLOW_BUNDLE,
      ENCRYPTION_KEYS: env.ENCRYPTION_KEYS,
      AUTH_SIGNING_KEYS: env.AUTH_SIGNING_KEYS,
      AUDIT_SIGNING_KEYS: env.AUDIT_SIGNING_KEYS,
      OUTBOUND_ALLOW: env.OUTBOUND_ALLOW.join(','),
      AUDIT_CHECKPOINT_DIR: env.AUDIT_CHECKPOINT_DIR,
      AUDIT_WITNESS_DIR: env.AUDIT_WITNESS_DIR,
    },
  });
  const said: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
  return {
    child,
    said: () => said.join(''),
    readiness: async () => {
      const answer = await fetch(`http://127.0.0.1:${probePort}/health/ready`).catch(() => null);
      return answer === null ? null : { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    },
  };
}

/** Kills a process outright, as a power cut would, and waits until it is gone. */
export async function killProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
