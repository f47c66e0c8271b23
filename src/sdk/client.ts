import { createAccessApi } from './access-api.ts';
import type { AccessApi } from './access-api.ts';
import { createAdminApi } from './admin-api.ts';
import type { AdminApi } from './admin-api.ts';
import { createAssignmentApi } from './assignment-api.ts';
import type { AssignmentApi } from './assignment-api.ts';
import { createClientsApi } from './clients-api.ts';
import type { ClientsApi } from './clients-api.ts';
import { createHttp, dataOf } from './http.ts';
import type { Http } from './http.ts';
import { proveAndRepeat } from './mfa.ts';
import type { CodeProvider } from './mfa.ts';
import type { operations } from './openapi.types.ts';
import { problemErrorOf } from './problem-error.ts';
import { Session } from './session.ts';
import type { SessionTokens, TokenPair } from './session.ts';
import { createFourEyesApi } from './four-eyes-api.ts';
import type { FourEyesApi } from './four-eyes-api.ts';
import { createOnboardingApi } from './onboarding-api.ts';
import type { OnboardingApi } from './onboarding-api.ts';
import { createTrackerApi } from './tracker-api.ts';
import type { TrackerApi } from './tracker-api.ts';

/** How to reach an API, and as whom. */
export interface ClientOptions {
  /** Address of the API, e.g. `https://admin.example.com`. */
  readonly baseUrl: string;
  /** Tokens of an earlier sign-in. */
  readonly tokens?: SessionTokens;
  /** Called whenever the tokens change (sign-in, refresh, end), to store them; null when the session is over. */
  readonly onTokens?: (tokens: SessionTokens | null) => void;
  /** The global `fetch` when left out. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

type Login = operations['login']['requestBody']['content']['application/json'];
type FactorRecovery = operations['requestFactorRecovery'];
type FactorRecoveryRequest = FactorRecovery['requestBody']['content']['application/json'];

/** A client of one API, for one session. */
export interface CastellanClient {
  readonly adminApi: AdminApi;
  readonly trackerApi: TrackerApi;
  readonly assignmentApi: AssignmentApi;
  readonly onboardingApi: OnboardingApi;
  readonly fourEyesApi: FourEyesApi;
  readonly accessApi: AccessApi;
  readonly clientsApi: ClientsApi;
  /** Every endpoint, by method and path, with the same authorization. */
  readonly http: Http;
  /** The current tokens; null before a sign-in and after the end of the session. */
  readonly tokens: SessionTokens | null;
  /** Signs in with phone or e-mail and password; later calls are made as this person. */
  signIn(login: Login): Promise<TokenPair>;
  /**
   * Asks, with the password, to have the lost second factor of the own account removed, or finds the request that is open
   * already. Nobody is signed in by it.
   */
  requestFactorRecovery(request: FactorRecoveryRequest): Promise<FactorRecovery['responses'][202]['content']['application/json']>;
  /** Ends the session on the server and forgets the tokens. */
  signOut(): Promise<void>;
  /**
   * Runs an operation and, where the server asks for a second factor, proves it and repeats the operation.
   *
   * @example await client.withMfa((proof) => client.adminApi.createUser(person, proof), askForCode);
   */
  withMfa<Result>(
    operation: (proof: { mfaToken?: string }) => Promise<Result>,
    codeProvider: CodeProvider,
  ): Promise<Result>;
}

/**
 * Makes a client. It refreshes the access token when the server no longer takes it, and throws a `ProblemError` for
 * every refusal.
 */
export function createCastellanClient(options: ClientOptions): CastellanClient {
  const send = options.fetch ?? ((request: Request) => fetch(request));
  const open = createHttp(options.baseUrl, send);
  const session = new Session(options.tokens ?? null, {
    fetch: send,
    refresh: async (refresh_token) => {
      const { data, error, response } = await open.POST('/auth/refresh', { body: { refresh_token } });
      if (data !== undefined) return data;
      // Only a refusal ends the session; an unreachable server does not.
      if (response.status === 401) return null;
      throw problemErrorOf(response, error);
    },
    onTokens: options.onTokens ?? (() => undefined),
  });
  const http = createHttp(options.baseUrl, (request) => session.fetch(request));
  const adminApi = createAdminApi(http);
  return {
    adminApi,
    trackerApi: createTrackerApi(http),
    assignmentApi: createAssignmentApi(http),
    onboardingApi: createOnboardingApi(http),
    fourEyesApi: createFourEyesApi(http),
    accessApi: createAccessApi(http),
    clientsApi: createClientsApi(http),
    http,
    get tokens() {
      return session.tokens;
    },
    signIn: async (login) => {
      const pair = await dataOf(open.POST('/auth/login', { body: login }));
      session.tokens = pair;
      return pair;
    },
    requestFactorRecovery: (body) => dataOf(open.POST('/auth/factor-recovery', { body })),
    signOut: async () => {
      await dataOf(http.POST('/auth/logout'));
      session.tokens = null;
    },
    withMfa: (operation, codeProvider) => proveAndRepeat(adminApi, operation, codeProvider),
  };
}
