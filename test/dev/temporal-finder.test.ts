import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { freePort } from '../../src/dev/ports.ts';
import { findTemporal } from '../../src/dev/temporal-finder.ts';

/** A stand-in for the Temporal CLI that answers what the finder asks a real one. */
const devServerScript = '#!/bin/sh\n[ "$2" = start-dev ] && echo "  -f, --db-filename string"\n';
const strangerScript = '#!/bin/sh\necho "temporal: sorts old photographs"\n';
const brokenScript = '#!/bin/sh\nexit 126\n';

/** Real commands that the stand-ins need; Go and Temporal are not among them. */
const systemPath = '/usr/bin:/bin';

describe('finding the Temporal dev server', () => {
  let root: string;
  let cacheFolder: string;
  let steps: string[];

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'castellan-finder-'));
    cacheFolder = join(root, 'cache');
    steps = [];
  });

  afterEach(() => rm(root, { recursive: true, force: true }));

  async function script(folder: string, name: string, content: string): Promise<string> {
    await mkdir(join(root, folder), { recursive: true });
    const path = join(root, folder, name);
    await writeFile(path, content);
    await chmod(path, 0o755);
    return path;
  }

  /** Stands for the download: writes an executable into the folder, prints its path; or fails as offline. */
  function downloadProgram(outcome: 'works' | 'offline' | 'broken file'): Promise<string> {
    const content = JSON.stringify(outcome === 'works' ? devServerScript : brokenScript);
    return script(
      'tools',
      'download.mjs',
      outcome === 'offline'
        ? "process.stderr.write('the address could not be resolved\\n'); process.exitCode = 1;"
        : `import { mkdirSync, writeFileSync } from 'node:fs';
           mkdirSync(process.argv[2], { recursive: true });
           writeFileSync(process.argv[2] + '/temporal-sdk', ${content});
           process.stdout.write(process.argv[2] + '/temporal-sdk\\n');`,
    );
  }

  async function find(env: NodeJS.ProcessEnv, download: 'works' | 'offline' | 'broken file' = 'offline') {
    return findTemporal({
      env: { PATH: systemPath, HOME: root, ...env },
      cacheFolder,
      downloadProgram: await downloadProgram(download),
      progress: (step) => steps.push(step),
    });
  }

  it('takes the running server of TEMPORAL_ADDRESS before everything else', async () => {
    const server = createServer((socket) => socket.end());
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    await script('bin', 'temporal', devServerScript);
    try {
      const env = { TEMPORAL_ADDRESS: `127.0.0.1:${port}`, PATH: `${root}/bin:${systemPath}` };
      expect(await find(env)).toEqual({ kind: 'server', address: `127.0.0.1:${port}` });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('says in one line that TEMPORAL_ADDRESS does not answer and what to do', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const failure = await find({ TEMPORAL_ADDRESS: address }).catch((error: unknown) => error);
    expect(String(failure)).toMatch(new RegExp(`^StartupError: Temporal does not answer at TEMPORAL_ADDRESS=${address} .*unset`));
    expect(String(failure)).not.toContain('\n');
  });

  it.each(['localhost', 'localhost:', ':7233', 'localhost:0', 'localhost:http', 'localhost:70000'])(
    'refuses the malformed TEMPORAL_ADDRESS %s',
    async (address) => {
      await expect(find({ TEMPORAL_ADDRESS: address })).rejects.toThrow('TEMPORAL_ADDRESS must be host:port');
    },
  );

  it('takes "temporal" from the PATH before the cache', async () => {
    const path = await script('bin', 'temporal', devServerScript);
    await script('cache/bin', 'temporal', devServerScript);
    const found = await find({ PATH: `${root}/nowhere:${root}/bin:${systemPath}` });
    expect(found).toEqual({ kind: 'executable', path, origin: 'path' });
    expect(steps).toEqual([]);
  });

  it.each([['another program', strangerScript], ['a broken program', brokenScript]])(
    'passes over %s that is called temporal',
    async (_what, content) => {
      await script('bin', 'temporal', content);
      const cached = await script('cache/bin', 'temporal', devServerScript);
      const found = await find({ PATH: `${root}/bin:${systemPath}` });
      expect(found).toEqual({ kind: 'executable', path: cached, origin: 'cache' });
    },
  );

  it('downloads into the cache, reports it, and finds it there the next time', async () => {
    const path = join(cacheFolder, 'bin', 'temporal');
    expect(await find({}, 'works')).toEqual({ kind: 'executable', path, origin: 'download' });
    expect(steps).toEqual([expect.stringContaining('downloading')]);
    expect(await readdir(cacheFolder)).toEqual(['bin']);

    steps = [];
    expect(await find({}, 'offline')).toEqual({ kind: 'executable', path, origin: 'cache' });
    expect(steps).toEqual([]);
  });

  it('builds with Go when the download fails, and reports both with the time they took', async () => {
    await script(
      'go',
      'go',
      `#!/bin/sh
      [ "$1" = version ] && echo "go version go1.26 linux/amd64" && exit 0
      [ "$1" = install ] && [ "\${2%@*}" = github.com/temporalio/cli/cmd/temporal ] || exit 2
      printf '%s' '${devServerScript}' > "$GOBIN/temporal"
      chmod +x "$GOBIN/temporal"\n`,
    );
    expect(await find({ PATH: `${root}/go:${systemPath}` })).toEqual({
      kind: 'executable',
      path: join(cacheFolder, 'bin', 'temporal'),
      origin: 'go',
    });
    expect(steps).toEqual([
      expect.stringContaining('downloading'),
      expect.stringMatching(/^no download after \d+\.\d s \(the address could not be resolved\)$/),
      expect.stringContaining('building'),
    ]);
    expect(await readdir(cacheFolder)).toEqual(['bin']);
  });

  it('does not take a download that does not run', async () => {
    await expect(find({}, 'broken file')).rejects.toThrow('the program does not run here');
    expect(await readdir(cacheFolder)).toEqual(['bin']);
  });

  it('says why the build failed', async () => {
    await script('go', 'go', '#!/bin/sh\n[ "$1" = version ] && exit 0\necho "go: no space left" >&2\nexit 1\n');
    await expect(find({ PATH: `${root}/go:${systemPath}` })).rejects.toThrow('go install failed (go: no space left)');
  });

  it('names every way to get one in one line when there is none', async () => {
    const failure = await find({}).catch((error: unknown) => error);
    expect(String(failure)).toMatch(/^StartupError: .*no "temporal" on the PATH, no download \(.*\), and no Go/);
    expect(String(failure)).toMatch(/install the Temporal CLI.*install Go.*TEMPORAL_ADDRESS/);
    expect(String(failure)).not.toContain('\n');
  });
});
