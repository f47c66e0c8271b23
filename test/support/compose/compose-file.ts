import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

const condition = z.strictObject({
  condition: z.enum(['service_healthy', 'service_completed_successfully', 'service_started']),
});
const service = z.looseObject({
  image: z.string(),
  build: z.string().optional(),
  restart: z.string(),
  profiles: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  depends_on: z.record(z.string(), condition).default({}),
  entrypoint: z.array(z.string()).default([]),
  command: z.array(z.string()).default([]),
  configs: z.array(z.strictObject({ source: z.string(), target: z.string() })).default([]),
  healthcheck: z.looseObject({}).optional(),
  networks: z.array(z.string()).min(1),
  volumes: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
});
const composeFile = z.looseObject({
  services: z.record(z.string(), service),
  configs: z.record(z.string(), z.strictObject({ content: z.string() })),
  networks: z.record(z.string(), z.unknown()),
  volumes: z.record(z.string(), z.unknown()),
});

/** `docker-compose.yml` with its anchors resolved and its variables as they are written. */
export type ComposeFile = z.infer<typeof composeFile>;
export type ComposeService = z.infer<typeof service>;

export const composeText = readFileSync(new URL('../../../docker-compose.yml', import.meta.url), 'utf8');

/** @throws ZodError when the file has another shape than the tests know */
export function readComposeFile(): ComposeFile {
  return composeFile.parse(parse(composeText, { merge: true }));
}

/** A service of the file. @throws Error when it is not there */
export function serviceOf(compose: ComposeFile, name: string): ComposeService {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`docker-compose.yml has no service ${name}.`);
  return found;
}

/** The version of a service's image. */
export function imageVersion({ image }: ComposeService): string {
  return image.slice(image.lastIndexOf(':') + 1);
}

/** Fills in `${NAME}`, `${NAME:-default}` and `${NAME:?…}`, and makes `$` of `$$`, as compose does. */
export function interpolate(value: string, variables: Readonly<Record<string, string>>): string {
  return value.replaceAll(/\$\$|\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}/g, (whole, name: string, fallback?: string) => {
    return whole === '$$' ? '$' : (variables[name] ?? fallback ?? '');
  });
}

/** The environment of a service with these variables. */
export function environmentOf(one: ComposeService, variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(one.environment).map(([name, value]) => [name, interpolate(value, variables)]));
}

const exampleKey = `k1:${Buffer.alloc(32, 1).toString('base64')}`;

/** An `.env` as a person would fill it in. */
export const exampleVariables = {
  PUBLIC_URL: 'https://castellan.example',
  POSTGRES_PASSWORD: 'a1',
  CASTELLAN_OWNER_PASSWORD: 'b2',
  CASTELLAN_DB_PASSWORD: 'c3',
  CASTELLAN_RETENTION_PASSWORD: 'e5',
  TEMPORAL_DB_PASSWORD: 'd4',
  ENCRYPTION_KEYS: exampleKey,
  AUTH_SIGNING_KEYS: exampleKey,
  AUDIT_SIGNING_KEYS: exampleKey,
  TEMPORAL_PAYLOAD_KEYS: exampleKey,
};
