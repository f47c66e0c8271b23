import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { changeCases } from './admin-api/changes.cases.ts';
import { evidenceCases } from './admin-api/evidence.cases.ts';
import { operationCases } from './admin-api/operations.cases.ts';
import { peopleCases } from './admin-api/people.cases.ts';
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

beforeAll(() => stage.open(), 60_000);
afterAll(() => stage.close());

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

describe('every function of adminApi', () => {
  it('was called over HTTP with success', () => {
    expect(adminFunctions.filter((name) => !stage.record.succeeded.has(name))).toEqual([]);
  });

  it('was refused by a rule of its own at least once', () => {
    expect(adminFunctions.filter((name) => !stage.record.refused.has(name))).toEqual([]);
  });
});
