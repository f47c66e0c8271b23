import { existsSync, readFileSync, readdirSync } from 'node:fs';

import { beforeAll, describe, expect, it } from '@jest/globals';

import { loadEnv } from '../../src/platform/env.ts';
import { loadRetentionEnv } from '../../src/platform/retention-env.ts';
import {
  composeText,
  environmentOf,
  exampleVariables,
  readComposeFile,
  serviceOf,
  type ComposeFile,
} from '../support/compose/compose-file.ts';

/** No container engine is needed for these: what can go wrong without one starting. */
describe('docker-compose.yml', () => {
  let compose: ComposeFile;

  beforeAll(() => {
    compose = readComposeFile();
  });

  it('names every image with its version', () => {
    for (const { image, build } of Object.values(compose.services)) {
      if (build === undefined) expect(image).toMatch(/^[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z]+)?$/);
    }
  });

  it('runs a Temporal server without CVE-2026-5199, and tools of the same version', () => {
    const [, major, minor, patch] = /:(\d+)\.(\d+)\.(\d+)$/.exec(compose.services.temporal?.image ?? '') ?? [];
    const version = Number(major) * 1_000_000 + Number(minor) * 1_000 + Number(patch);
    expect(version).toBeGreaterThanOrEqual(1_030_004);
    expect(compose.services['temporal-schema']?.image).toBe(`temporalio/admin-tools:${major}.${minor}.${patch}`);
  });

  it('T-47: the job makes the namespace that API and worker use, and names it in every command', () => {
    const job = serviceOf(compose, 'temporal-namespace');
    const namespace = serviceOf(compose, 'api').environment['TEMPORAL_NAMESPACE'];
    expect(serviceOf(compose, 'worker').environment['TEMPORAL_NAMESPACE']).toBe(namespace);
    const commands = [...job.command.join('\n').matchAll(/temporal operator namespace (?:describe|create)([^\n]*)/g)];
    expect(commands).toHaveLength(2);
    for (const [, options] of commands) expect(options).toMatch(new RegExp(`^ -n ${namespace} `));
    // The commands ignore it: it would only look as if it decided.
    expect(job.environment).not.toHaveProperty('TEMPORAL_NAMESPACE');
  });

  it('T-47: documents name the namespace in every command of the CLI', () => {
    const documents = ['README.md', ...readdirSync('docs', { recursive: true, encoding: 'utf8' }).map((file) => `docs/${file}`)];
    const commands = documents
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) => [
        ...readFileSync(file, 'utf8').matchAll(/\btemporal (?:workflow|worker|schedule|task-queue|batch|operator namespace) [^`]*/g),
      ])
      .map(([command]) => command);
    expect(commands.length).toBeGreaterThan(3);
    // A command with "…" is the one before it with other options.
    expect(commands.filter((command) => !/ (?:-n|--namespace) /.test(command) && !command.includes('…'))).toEqual([]);
  });

  it('holds no secret: each one comes from the env file and must be set', () => {
    for (const { environment } of Object.values(compose.services)) {
      for (const [name, value] of Object.entries(environment)) {
        if (/PASSWORD|PWD|KEYS/.test(name)) expect(value).toMatch(/^\$\{\w+:\?[^}]*\}$/);
        expect(value).not.toMatch(/:\/\/[^:/]+:[^$@/]+@/); // no password inside an address
      }
    }
  });

  it('explains every variable in .env.example, which holds no value', () => {
    const example = readFileSync('.env.example', 'utf8');
    const offered = [...example.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]);
    const used = new Set([...composeText.matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name]) => name));
    expect(new Map(offered as [string, string][])).toEqual(new Map([...used].map((name) => [name, ''])));
  });

  it.each(['api', 'worker', 'admin-create'])('gives the %s an environment that it accepts', (name) => {
    const env = loadEnv(environmentOf(serviceOf(compose, name), exampleVariables));
    expect(env.NODE_ENV).toBe('production');
    expect(env.DATABASE_URL).toBe('postgres://castellan:c3@postgres:5432/castellan');
    expect(env.DATABASE_OWNER_URL).toBeUndefined();
  });

  it('T-36: has the first administrator made by a job that is run by hand, with the rights of the application', () => {
    const { profiles, entrypoint, environment, restart } = serviceOf(compose, 'admin-create');
    expect({ profiles, restart }).toEqual({ profiles: ['operator'], restart: 'no' });
    expect(existsSync(entrypoint.at(-1) ?? '')).toBe(true);
    expect(Object.keys(environment)).not.toContain('DATABASE_OWNER_URL');
    const started = Object.entries(compose.services).filter(([, { profiles: only }]) => only.length === 0);
    expect(started.map(([name]) => name)).not.toContain('admin-create');
  });

  it('T-17: retention is a job of its own, whose database role no other service has, without their secrets', () => {
    const { profiles, entrypoint, environment, restart, volumes } = serviceOf(compose, 'retention');
    expect({ profiles, restart }).toEqual({ profiles: ['operator'], restart: 'no' });
    expect(existsSync(entrypoint.at(-1) ?? '')).toBe(true);
    expect(loadRetentionEnv(environmentOf(serviceOf(compose, 'retention'), { ...exampleVariables, AUDIT_PUBLIC_KEY: 'key' }))).toBeDefined();
    expect(Object.keys(environment).filter((name) => /KEYS|^DATABASE/.test(name))).toEqual([]);
    expect(volumes).toContain('checkpoints:/var/lib/castellan/checkpoints:ro');
    const holders = Object.entries(compose.services).filter(([, one]) => 'RETENTION_DATABASE_URL' in one.environment);
    expect(holders.map(([name]) => name).toSorted()).toEqual(['migrate', 'retention']);
  });

  it('T-18: API and worker read the checkpoints outside the database, and only the worker writes them', () => {
    const folder = '/var/lib/castellan/checkpoints';
    for (const [name, volume] of [['api', `checkpoints:${folder}:ro`], ['worker', `checkpoints:${folder}`]] as const) {
      const { environment, volumes } = serviceOf(compose, name);
      expect(environment['AUDIT_CHECKPOINT_DIR']).toBe(folder);
      expect(volumes).toContain(volume);
    }
  });

  it('waits only for services that are there and for what they really do', () => {
    for (const service of Object.values(compose.services)) {
      for (const [name, { condition: wanted }] of Object.entries(service.depends_on)) {
        const other = compose.services[name];
        expect(other).toBeDefined();
        if (wanted === 'service_completed_successfully') expect(other?.restart).toMatch(/^on-failure:/);
        if (wanted === 'service_healthy') expect(other?.healthcheck).toBeDefined();
      }
    }
  });

  it('uses only networks and volumes that are declared, and keeps the databases off the outside', () => {
    for (const [name, service] of Object.entries(compose.services)) {
      for (const network of service.networks) expect(Object.keys(compose.networks)).toContain(network);
      for (const volume of service.volumes) expect(Object.keys(compose.volumes)).toContain(volume.split(':', 1)[0]);
      for (const port of service.ports) expect(port).toMatch(/^127\.0\.0\.1:/);
      if (name.includes('postgres')) expect(service.ports).toEqual([]);
    }
  });
});

describe('the Dockerfile', () => {
  it('builds on the version of Node that npm installs here, and runs as another user than root', () => {
    const dockerfile = readFileSync('Dockerfile', 'utf8');
    const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
    expect(new Set(bases)).toEqual(new Set([`node:${dependencies.node}-bookworm-slim`]));
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(dockerfile).toMatch(/^HEALTHCHECK /m);
  });
});
