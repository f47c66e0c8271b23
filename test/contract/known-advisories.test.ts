import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string }>>;
}

const root = new URL('../../', import.meta.url);
const text = await readFile(new URL('security/known-advisories.md', root), 'utf8');
const lock = JSON.parse(await readFile(new URL('package-lock.json', root), 'utf8')) as Lock;

/** Rows of the first table: a package and its lowest safe version. */
const minimums = (text.split('\nServers')[0] ?? '')
  .split('\n')
  .map((line) => /^\| (\S+) \| (\d+\.\d+\.\d+) \|/.exec(line))
  .filter((match) => match !== null)
  .map(([, name, version]) => [name!, version!] as const);

/** Every copy of a package in the tree. */
function copies(name: string): string[] {
  return Object.entries(lock.packages)
    .filter(([path]) => path.endsWith(`node_modules/${name}`))
    .map(([, { version = '0.0.0' }]) => version);
}

function isAtLeast(version: string, minimum: string): boolean {
  const [have, want] = [version, minimum].map((one) => one.split(/[.-]/).slice(0, 3).map(Number)) as [number[], number[]];
  for (const [index, part] of want.entries()) {
    if ((have[index] ?? 0) !== part) return (have[index] ?? 0) > part;
  }
  return true;
}

describe('known advisories', () => {
  it('are read from the list', () => {
    expect(minimums.length).toBeGreaterThan(5);
  });

  it.each(minimums)('%s is installed from %s on, in every copy', (name, minimum) => {
    expect(copies(name).filter((version) => !isAtLeast(version, minimum))).toEqual([]);
  });

  it('hold for the servers of the compose file', async () => {
    const compose = await readFile(new URL('docker-compose.yml', root), 'utf8');
    const [, version] = /temporalio\/(?:auto-setup|server):(\d+\.\d+\.\d+)/.exec(compose) ?? [];
    const [, minimum] = /\| Temporal \| (\d+\.\d+\.\d+) \|/.exec(text) ?? [];
    expect(version).toBeDefined();
    expect(isAtLeast(version!, minimum!)).toBe(true);
  });
});
