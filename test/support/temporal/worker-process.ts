import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Env } from '../../../src/platform/env.ts';
import { freePort } from '../../../src/dev/ports.ts';
import { eventually } from '../eventually.ts';

const readyTimeoutMs = 60_000;

/**
 * A worker as a process of its own, so that it can be killed; waits until it polls.
 *
 * @throws with what it said when it ends instead.
 */
export async function startWorkerProcess(env: Env): Promise<ChildProcess> {
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
      TEMPORAL_TASK_QUEUE: env.TEMPORAL_TASK_QUEUE,
      WORKFLOW_BUNDLE: env.WORKFLOW_BUNDLE,
      ENCRYPTION_KEYS: env.ENCRYPTION_KEYS,
      AUTH_SIGNING_KEYS: env.AUTH_SIGNING_KEYS,
      AUDIT_SIGNING_KEYS: env.AUDIT_SIGNING_KEYS,
      OUTBOUND_ALLOW: env.OUTBOUND_ALLOW.join(','),
      AUDIT_ARCHIVE_DIR: env.AUDIT_ARCHIVE_DIR,
      AUDIT_WITNESS_DIR: env.AUDIT_WITNESS_DIR,
    },
  });
  const said: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
  const isReady = async () => (await fetch(`http://127.0.0.1:${probePort}/health/ready`).catch(() => null))?.ok === true;
  await eventually(async () => child.exitCode !== null || (await isReady()), (settled) => settled, readyTimeoutMs);
  if (child.exitCode !== null) throw new Error(`the worker ended with ${child.exitCode}: ${said.join('')}`);
  return child;
}

/** Kills a process outright, as a power cut would, and waits until it is gone. */
export async function killProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
