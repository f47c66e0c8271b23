import { spawn, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { cacheFolderPath, dataFolderPath, takeDataFolder } from '../../src/dev/data-folder.ts';

describe('the data folder', () => {
  let root: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'castellan-folder-'));
  });

  afterEach(() => rm(root, { recursive: true, force: true }));

  it('is created, held by one process at a time, and free again after its release', async () => {
    const path = join(root, 'deep', 'data');
    const folder = await takeDataFolder(path);
    await expect(takeDataFolder(path)).rejects.toThrow(
      `Another Castellan runs on this folder (pid ${process.pid}): stop it, or set CASTELLAN_DATA to another folder`,
    );
    await folder.release();
    await (await takeDataFolder(path)).release();
  });

  it('is taken over from a process that is gone', async () => {
    const gone = spawnSync('true').pid;
    await takeDataFolder(root);
    await writeFile(join(root, 'castellan.pid'), `${gone}\n\n`);
    const folder = await takeDataFolder(root);
    expect(await readFile(folder.in('castellan.pid'), 'utf8')).toMatch(new RegExp(`^${process.pid}\n`));
  });

  it('is taken over when the id of the process that is gone belongs to another one by now', async () => {
    const stranger = spawn('sleep', ['60']);
    try {
      await writeFile(join(root, 'castellan.pid'), `${stranger.pid}\nsome earlier start\n`);
      await takeDataFolder(root);
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  it.each(['', 'not a number\n', '-1\n'])('is taken over when its lock holds nonsense (%j)', async (content) => {
    await writeFile(join(root, 'castellan.pid'), content);
    await takeDataFolder(root);
  });

  it('says in one line that a file stands in its place', async () => {
    const path = join(root, 'file');
    await writeFile(path, '');
    const failure = await takeDataFolder(path).catch((error: unknown) => error);
    expect(String(failure)).toMatch(/^StartupError: .*is not a folder.*set CASTELLAN_DATA to another folder\.$/);
  });

  it('says in one line that it cannot be written', async () => {
    await chmod(root, 0o500);
    // The permission does not bind root, but nobody makes folders in the kernel's view of the devices.
    const path = process.getuid?.() === 0 ? '/sys/castellan' : join(root, 'data');
    const failure = await takeDataFolder(path).catch((error: unknown) => error);
    expect(String(failure)).toMatch(/^StartupError: The data folder .* cannot be written: .*set CASTELLAN_DATA to a folder/);
  });

  it('and the cache folder follow the environment', () => {
    expect(dataFolderPath({ CASTELLAN_DATA: '/srv/data' })).toBe('/srv/data');
    expect(dataFolderPath({})).toBe(join(process.cwd(), '.castellan'));
    expect(cacheFolderPath({ CASTELLAN_CACHE: '/srv/cache', XDG_CACHE_HOME: '/x' })).toBe('/srv/cache');
    expect(cacheFolderPath({ XDG_CACHE_HOME: '/x' })).toBe('/x/castellan');
    expect(cacheFolderPath({})).toMatch(/\/\.cache\/castellan$/);
  });
});
