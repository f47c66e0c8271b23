import { expect, it } from '@jest/globals';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../src/dev/processes.ts';
import { runState } from '../support/run-state.ts';

const demoPath = fileURLToPath(new URL('../../src/dev/demo.ts', import.meta.url));
/** It starts a whole installation and waits for a code of the authenticator app, thirty seconds at most. */
const demoTimeoutMs = 180_000;

/** Runs it with a folder of its own for everything that it leaves in the temporary folder. */
async function runDemo(env: NodeJS.ProcessEnv) {
  const folder = await mkdtemp(join(tmpdir(), 'demo-production-'));
  try {
    await chmod(folder, 0o711); // for the account that PostgreSQL runs as when we are root
    const result = await runCommand(process.execPath, [demoPath, '--production'], {
      timeoutMs: demoTimeoutMs,
      env: { PATH: process.env.PATH, TMPDIR: folder, CASTELLAN_CACHE: runState().cache_folder, ...env },
    });
    return { ...result, left: await readdir(folder) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

it('walks in production from two one-time links to a change that both have made, and leaves nothing behind', async () => {
  const { ok, stdout, stderr, left } = await runDemo({});
  expect({ ok, stderr, left }).toEqual({ ok: true, stderr: '', left: [] });
  expect(stdout).toMatch(/namespace castellan[\s\S]*castellan_owner, castellan, castellan_archivist[\s\S]*production/);
  expect(stdout).toMatch(/sample sign-in is refused[\s\S]*links +2[\s\S]*link again +410/);
  expect(stdout).toMatch(/there is no such flag[\s\S]*with a second factor[\s\S]*status +pending[\s\S]*there is no such flag/);
  expect(stdout).toMatch(/approvals +1 of 1[\s\S]*status +executed[\s\S]*value +true/);
  expect(stdout).toMatch(/verifies offline[\s\S]*result +valid[\s\S]*Segments archived and dropped: 0/);
  expect(stdout).toMatch(/Every step held/);
}, demoTimeoutMs);

it('ends with an error when a part does not come up, and leaves nothing behind', async () => {
  const programs = await mkdtemp(join(tmpdir(), 'programs-'));
  try {
    // It passes for a Temporal dev server until it is to start one.
    const program = '#!/bin/sh\ncase "$*" in *--help) echo --db-filename;; *) echo broken >&2; exit 3;; esac\n';
    await writeFile(join(programs, 'temporal'), program, { mode: 0o755 });
    const { ok, stderr, left } = await runDemo({ PATH: [programs, process.env.PATH].join(delimiter) });
    expect({ ok, left }).toEqual({ ok: false, left: [] });
    expect(stderr).toMatch(/Temporal ended while starting \(exit code 3\): broken/);
  } finally {
    await rm(programs, { recursive: true, force: true });
  }
}, demoTimeoutMs);
