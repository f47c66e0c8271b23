export { createCastellanClient } from './client.ts';
export type { CastellanClient, ClientOptions } from './client.ts';
export type { AdminApi } from './admin-api.ts';
export type { Approval, ChangeOptions, CreateOptions, Outcome, VersionedOptions } from './http.ts';
export type { CodeProvider, MfaChallenge, MfaToken } from './mfa.ts';
export type { components, operations, paths } from './openapi.types.ts';
export { ProblemError, isProblem } from './problem-error.ts';
export type { SessionTokens, TokenPair } from './session.ts';
export type { TrackerApi } from './tracker-api.ts';
