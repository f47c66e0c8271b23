/**
 * Who may import whom. One rule a layer, read as "this layer may import only …"; types count like values unless a rule
 * says otherwise.
 */

const layer = (names) => `^src/(${names.join('|')})/`;

/** A layer that may import only the named layers of ours (itself always) and the named packages. */
function only(name, { layers = [], packages, contracts = false, comment }) {
  const allowed = [`^src/${name}/`, ...layers.map((one) => `^src/${one}/`)];
  if (contracts) allowed.push('^src/workflows/[^/]+/[^/]+\\.contract\\.ts$', '^src/workflows/index\\.ts$');
  const rules = [
    {
      name: `${name}-layers`,
      comment,
      severity: 'error',
      from: { path: `^src/${name}/` },
      to: { path: '^src/', pathNot: allowed },
    },
  ];
  if (packages !== undefined) {
    rules.push({
      name: `${name}-packages`,
      comment: `${name} may use only ${packages.length === 0 ? 'no package' : packages.join(', ')}`,
      severity: 'error',
      from: { path: `^src/${name}/` },
      to: { dependencyTypesNot: ['local', 'type-only'], pathNot: ['^src/', ...packages.map((one) => `node_modules/${one}/`)] },
    });
  }
  return rules;
}

/** The areas; every layer has the same ones (`docs/architecture.md`). */
const areas = [
  'approval',
  'assignment',
  'audit',
  'client-record',
  'config',
  'flag',
  'health',
  'identity',
  'integration',
  'notification',
  'onboarding',
  'operations',
  'queue',
  'tracker',
];

/** Areas that everybody needs. */
const common = ['approval', 'audit', 'identity', 'notification'];

/**
 * From one area into another only through what the other one offers: its workflow clients, its queries, the `index.ts` of
 * the area, its pure rules and its tables; or into the areas that everybody needs.
 */
function crossings() {
  return areas.map((area) => ({
    name: `${area}-crossing`,
    comment: 'Another area is entered by its *.client.ts, its *.queries.ts or its index.ts.',
    severity: 'error',
    from: { path: `^src/(api|services|activities|workflows)/${area}/` },
    to: {
      path: `^src/(api|services|activities|workflows)/(${areas.filter((one) => one !== area && !common.includes(one)).join('|')})/`,
      pathNot: ['\\.(client|queries|contract)\\.ts$', '/index\\.ts$'],
    },
  }));
}

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'A cycle cannot be read from one end.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    { name: 'resolvable', comment: 'Every import leads somewhere.', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'declared-packages',
      comment: 'A package that production code imports is a dependency of production.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/dev/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    ...crossings(),
    ...only('domain', { packages: ['canonicalize', 'temporal-polyfill'], comment: 'domain: pure rules; nothing but domain' }),
    ...only('entities', {
      layers: ['domain', 'platform'],
      packages: ['@mikro-orm', 'kysely'],
      comment: 'entities: MikroORM, domain, other entities (and the platform’s empty table map that they fill)',
    }),
    ...only('workflows', {
      layers: ['domain'],
      packages: ['@temporalio/workflow', '@temporalio/common', '@temporalio/interceptors-opentelemetry'],
      comment: 'workflows: the Temporal workflow package, domain, their own folder',
    }).map((rule) =>
      rule.name === 'workflows-layers'
        ? { ...rule, to: { ...rule.to, dependencyTypesNot: ['type-only'] } }
        : rule,
    ),
    {
      name: 'guarded-outbound',
      comment: 'Connections to others are made by outbound-http.ts only, which guards against private addresses.',
      severity: 'error',
      from: { pathNot: '^src/platform/outbound/outbound-http[.]ts$' },
      to: { path: '^src/platform/outbound/outbound-agent[.]ts$' },
    },
    {
      name: 'workflows-types',
      comment: 'Even types come only from activities, domain and their own folder.',
      severity: 'error',
      from: { path: '^src/workflows/' },
      to: { path: '^src/', pathNot: layer(['workflows', 'domain', 'activities']) },
    },
    { name: 'workflows-no-node', severity: 'error', from: { path: '^src/workflows/' }, to: { dependencyTypes: ['core'] } },
    ...only('services', {
      layers: ['platform', 'entities', 'domain'],
      contracts: true,
      comment: 'services: platform, entities, domain, workflow contracts',
    }),
    ...only('activities', {
      layers: ['platform', 'entities', 'domain', 'services'],
      contracts: true,
      comment: 'activities: platform, entities, domain, services, workflow contracts',
    }),
    ...only('api', {
      layers: ['platform', 'entities', 'domain', 'services'],
      contracts: true,
      comment: 'api: platform, entities, domain, services, workflow contracts; never activities',
    }),
    ...only('platform', { layers: ['domain'], comment: 'platform: libraries and domain; it names no feature' }),
    ...only('sdk', { packages: ['openapi-fetch'], comment: 'sdk: generated types only' }),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    moduleSystems: ['es6'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json', '.d.ts'],
    },
  },
};
