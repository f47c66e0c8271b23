import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { openApiDocument } from '../../src/api/http/openapi.ts';
import { routes } from '../../src/api/routes.ts';
import { changeCases } from './admin-api/changes.cases.ts';
import { evidenceCases } from './admin-api/evidence.cases.ts';
import { operationCases } from './admin-api/operations.cases.ts';
import { peopleCases } from './admin-api/people.cases.ts';
import { writeExamples } from './admin-api/examples.ts';
import { stage } from './admin-api/stage.ts';

/** The functions of the admin UI in the order of S2-2..45: these and no others. */
const adminFunctions = [
  'getAdminDashboard',
  'getUsers',
  'getUserById',
  'createUser',
  'updateUser',
  'deleteUser',
  'forceLogoutUser',
  'getUserSessions',
  'getRoles',
  'getRolePermissions',
  'updateRolePermissions',
  'getRoleAssignmentHistory',
  'getFeatureFlags',
  'toggleFeatureFlag',
  'getFeatureFlagHistory',
  'getIntegrations',
  'getIntegrationDetails',
  'triggerManualSync',
  'updateIntegrationConfig',
  'rotateAPIKey',
  'getSyncJobHistory',
  'getQueues',
  'getQueueDetails',
  'getQueueJobs',
  'retryFailedJob',
  'pauseQueue',
  'resumeQueue',
  'getAuditLogs',
  'getAuditLogDetails',
  'exportAuditLogs',
  'getSystemHealth',
  'getSystemMetricsHistory',
  'configureSystemAlerts',
  'getEnvironmentConfig',
  'proposeConfigChange',
  'getDeploymentHistory',
  'rollbackConfig',
  'getApprovalRequests',
  'createApprovalRequest',
  'approveRequest',
  'rejectRequest',
  'getApprovalHistory',
  'requestMFACode',
  'verifyMFACode',
];

interface Media {
  readonly schema: object;
  readonly example?: unknown;
}

interface Content {
  readonly required?: boolean;
  readonly content?: Readonly<Record<string, Media>>;
}

const document = JSON.parse(JSON.stringify(openApiDocument(routes, '/'))) as {
  paths: Record<string, Record<string, { requestBody?: Content; responses: Record<string, Content> }>>;
  components: object;
};

beforeAll(() => stage.open(), 60_000);
afterAll(async () => {
  if (process.env.UPDATE_EXAMPLES === '1') await writeExamples(adminOperations);
  await stage.close();
});

/** The operations of the functions by `method path`. */
const adminOperations = new Map(
  routes
    .filter(({ operationId }) => adminFunctions.includes(operationId))
    .map(({ operationId, method, path }) => [`${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`, operationId]),
);

describe('adminApi (S2-65)', () => {
  it('has exactly the 44 functions of S2-2..45', () => {
    expect(adminFunctions).toHaveLength(44);
    expect(Object.keys(stage.admin.client.adminApi).toSorted()).toEqual(adminFunctions.toSorted());
  });
});

peopleCases();
changeCases();
operationCases();
evidenceCases();

describe('the OpenAPI document of adminApi', () => {
  it('describes every function, with an example of request and answer that is valid', () => {
    const problems: string[] = [];
    for (const [place, operationId] of adminOperations) {
      const [method = '', path = ''] = place.split(' ');
      const { requestBody, responses } = document.paths[path]?.[method] ?? { responses: {} };
      const isJson = !JSON.stringify(responses).includes('text/csv');
      const answers = Object.entries(responses).filter(([status]) => status.startsWith('2'));
      const media = [requestBody, ...answers.map(([, answer]) => answer)].flatMap((one) => one?.content?.['application/json'] ?? []);
      for (const one of media) if (one.example !== undefined) problems.push(...faultsOf(operationId, one));
      const isShown = answers.some(([status, { content }]) => status === '204' || content?.['application/json']?.example !== undefined);
      if (isJson && !isShown) problems.push(`${operationId}: no example of an answer`);
      if (requestBody?.required === true && requestBody.content?.['application/json']?.example === undefined) {
        problems.push(`${operationId}: no example of a request`);
      }
    }
    expect(adminOperations.size).toBe(44);
    expect(problems).toEqual([]);
  });

  function faultsOf(operationId: string, { schema, example }: Media): string[] {
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile({ ...schema, components: document.components });
    return validate(example) ? [] : (validate.errors ?? []).map((error) => `${operationId} ${error.instancePath}: ${error.message}`);
  }
});

describe('every function of adminApi', () => {
  it('was called over HTTP with success', () => {
    expect(adminFunctions.filter((name) => !stage.record.succeeded.has(name))).toEqual([]);
  });

  it('was refused by a rule of its own at least once', () => {
    expect(adminFunctions.filter((name) => !stage.record.refused.has(name))).toEqual([]);
  });
});
