import { createHeaders, dataOf, streamOf } from './http.ts';
import type { BodyOf, CreateOptions, Http, QueryOf } from './http.ts';

/** The functions of the activity tracker (S0-33..50, S0-74, S0-75, S0-82, S0-83). All throw `ProblemError`. */
export type TrackerApi = ReturnType<typeof createTrackerApi>;

export function createTrackerApi(http: Http) {
  return {
    ...rhythmApi(http),
    ...focusApi(http),
    ...nudgeApi(http),
    ...meetingApi(http),
    ...prospectApi(http),
    ...pipelineApi(http),
    ...settingsApi(http),
  };
}

const base = '/api/v1/master-admin';
const withId = (id: number) => ({ params: { path: { id: String(id) } } });
const created = (options: CreateOptions) => ({ params: { header: createHeaders(options) } });
const createdUnder = (id: number, options: CreateOptions) => ({
  params: { path: { id: String(id) }, header: createHeaders(options) },
});

function rhythmApi(http: Http) {
  return {
    /** Today at a glance (S0-81). */
    getDashboard: () => dataOf(http.GET(`${base}/dashboard`)),

    createGoal: (body: BodyOf<'createGoal'>, query: QueryOf<'createGoal'> = {}, options: CreateOptions = {}) =>
      dataOf(http.POST(`${base}/goals`, { body, params: { query, header: createHeaders(options) } })),
    getGoals: (query: QueryOf<'getGoals'> = {}) => dataOf(http.GET(`${base}/goals`, { params: { query } })),
    getGoal: (id: number) => dataOf(http.GET(`${base}/goals/{id}`, withId(id))),
    updateGoal: (id: number, body: BodyOf<'updateGoal'>) => dataOf(http.PUT(`${base}/goals/{id}`, { body, ...withId(id) })),
    deleteGoal: (id: number) => dataOf(http.DELETE(`${base}/goals/{id}`, withId(id))),
    /** Target, done, expected by now, projection and state of the present week (S0-97). */
    getWeeklyProgress: () => dataOf(http.GET(`${base}/goals/progress`)),
    getGoalProgress: (id: number) => dataOf(http.GET(`${base}/goals/{id}/progress`, withId(id))),

    createActivity: (body: BodyOf<'createActivity'>, options: CreateOptions = {}) =>
      dataOf(http.POST(`${base}/activities`, { body, ...created(options) })),
    getActivities: (query: QueryOf<'getActivities'> = {}) => dataOf(http.GET(`${base}/activities`, { params: { query } })),
    getTodayActivities: () => dataOf(http.GET(`${base}/activities/today`)),
    getActivity: (id: number) => dataOf(http.GET(`${base}/activities/{id}`, withId(id))),
    updateActivity: (id: number, body: BodyOf<'updateActivity'>) =>
      dataOf(http.PUT(`${base}/activities/{id}`, { body, ...withId(id) })),
    deleteActivity: (id: number) => dataOf(http.DELETE(`${base}/activities/{id}`, withId(id))),

    getTodayScore: () => dataOf(http.GET(`${base}/scores/today`)),
    getWeekScores: () => dataOf(http.GET(`${base}/scores/week`)),
    getStreak: () => dataOf(http.GET(`${base}/scores/streak`)),
  };
}

function focusApi(http: Http) {
  return {
    /** Starts the timer; 409 with the active session when there is one (S0-84). */
    startFocusSession: (body: BodyOf<'startFocusSession'> = {}, options: CreateOptions = {}) =>
      dataOf(http.POST(`${base}/focus-sessions`, { body, ...created(options) })),
    getFocusSessions: (query: QueryOf<'getFocusSessions'> = {}) =>
      dataOf(http.GET(`${base}/focus-sessions`, { params: { query } })),
    getActiveFocusSession: () => dataOf(http.GET(`${base}/focus-sessions/active`)),
    getFocusSession: (id: number) => dataOf(http.GET(`${base}/focus-sessions/{id}`, withId(id))),
    getFocusRemaining: (id: number) => dataOf(http.GET(`${base}/focus-sessions/{id}/remaining`, withId(id))),
    completeFocusSession: (id: number, body: BodyOf<'completeFocusSession'> = {}) =>
      dataOf(http.PUT(`${base}/focus-sessions/{id}/complete`, { body, ...withId(id) })),
    interruptFocusSession: (id: number, body: BodyOf<'interruptFocusSession'> = {}) =>
      dataOf(http.PUT(`${base}/focus-sessions/{id}/interrupt`, { body, ...withId(id) })),
    pauseFocusSession: (id: number, body: BodyOf<'pauseFocusSession'> = {}) =>
      dataOf(http.PUT(`${base}/focus-sessions/{id}/pause`, { body, ...withId(id) })),
    resumeFocusSession: (id: number, body: BodyOf<'resumeFocusSession'> = {}) =>
      dataOf(http.PUT(`${base}/focus-sessions/{id}/resume`, { body, ...withId(id) })),
  };
}

function nudgeApi(http: Http) {
  return {
    getNudges: (query: QueryOf<'getNudges'> = {}) => dataOf(http.GET(`${base}/nudges`, { params: { query } })),
    /** Evaluates the nudge rules now (S0-58). */
    generateNudges: (options: CreateOptions = {}) => dataOf(http.POST(`${base}/nudges/generate`, created(options))),
    readNudge: (id: number) => dataOf(http.PUT(`${base}/nudges/{id}/read`, withId(id))),
    snoozeNudge: (id: number, body: BodyOf<'snoozeNudge'>) =>
      dataOf(http.PUT(`${base}/nudges/{id}/snooze`, { body, ...withId(id) })),
    deleteNudge: (id: number) => dataOf(http.DELETE(`${base}/nudges/{id}`, withId(id))),
  };
}

function meetingApi(http: Http) {
  return {
    createMeeting: (body: BodyOf<'createMeeting'>, options: CreateOptions = {}) =>
      dataOf(http.POST(`${base}/meetings`, { body, ...created(options) })),
    getMeetings: (query: QueryOf<'getMeetings'> = {}) => dataOf(http.GET(`${base}/meetings`, { params: { query } })),
    getMeeting: (id: number) => dataOf(http.GET(`${base}/meetings/{id}`, withId(id))),
    updateMeeting: (id: number, body: BodyOf<'updateMeeting'>) =>
      dataOf(http.PUT(`${base}/meetings/{id}`, { body, ...withId(id) })),
    deleteMeeting: (id: number) => dataOf(http.DELETE(`${base}/meetings/{id}`, withId(id))),
    planMeeting: (id: number, body: BodyOf<'planMeeting'>, options: CreateOptions = {}) =>
      dataOf(http.POST(`${base}/meetings/{id}/plan`, { body, ...createdUnder(id, options) })),
    createMeetingFollowUps: (id: number, body: BodyOf<'createMeetingFollowUps'>, options: CreateOptions = {}) =>
      dataOf(http.POST(`${base}/meetings/{id}/follow-ups`, { body, ...createdUnder(id, options) })),
  };
}

function prospectApi(http: Http) {
  return {
    createProspect: (body: BodyOf<'createProspect'>, options: CreateOptions = {}) =>
      dataOf(http.POST(`${base}/prospects`, { body, ...created(options) })),
    getProspects: (query: QueryOf<'getProspects'> = {}) => dataOf(http.GET(`${base}/prospects`, { params: { query } })),
    getProspect: (id: number) => dataOf(http.GET(`${base}/prospects/{id}`, withId(id))),
    updateProspect: (id: number, body: BodyOf<'updateProspect'>) =>
      dataOf(http.PUT(`${base}/prospects/{id}`, { body, ...withId(id) })),
    deleteProspect: (id: number) => dataOf(http.DELETE(`${base}/prospects/{id}`, withId(id))),
    /** Moves, wins, loses or reopens, on the version that was read (S0-75). */
    moveProspect: (id: number, body: BodyOf<'moveProspect'>, options: CreateOptions & { readonly version: number }) =>
      dataOf(
        http.POST(`${base}/prospects/{id}/move`, {
          body,
          params: { path: { id: String(id) }, header: { ...createHeaders(options), 'If-Match': `"${options.version}"` } },
        }),
      ),
    getProspectHistory: (id: number, query: QueryOf<'getProspectHistory'> = {}) =>
      dataOf(http.GET(`${base}/prospects/{id}/history`, { params: { path: { id: String(id) }, query } })),
    /** Imports a CSV file, all rows or none. */
    importProspects: (csv: string, query: QueryOf<'importProspects'> = {}) =>
      dataOf(
        http.POST(`${base}/prospects/import`, {
          body: csv,
          bodySerializer: (text) => text,
          headers: { 'content-type': 'text/csv' },
          params: { query },
        }),
      ),
    exportProspects: () => streamOf(http.GET(`${base}/prospects/export`, { parseAs: 'stream' })),
  };
}

function pipelineApi(http: Http) {
  const stage = (id: number, stageId: number) => ({ params: { path: { id: String(id), stageId: String(stageId) } } });
  return {
    createPipeline: (body: BodyOf<'createPipeline'>, options: CreateOptions = {}) =>
      dataOf(http.POST(`${base}/pipelines`, { body, ...created(options) })),
    getPipelines: (query: QueryOf<'getPipelines'> = {}) => dataOf(http.GET(`${base}/pipelines`, { params: { query } })),
    getPipeline: (id: number) => dataOf(http.GET(`${base}/pipelines/{id}`, withId(id))),
    updatePipeline: (id: number, body: BodyOf<'updatePipeline'>) =>
      dataOf(http.PUT(`${base}/pipelines/{id}`, { body, ...withId(id) })),
    deletePipeline: (id: number) => dataOf(http.DELETE(`${base}/pipelines/{id}`, withId(id))),
    getPipelineSummary: (id: number) => dataOf(http.GET(`${base}/pipelines/{id}/summary`, withId(id))),
    createPipelineStage: (id: number, body: BodyOf<'createPipelineStage'>, options: CreateOptions = {}) =>
      dataOf(http.POST(`${base}/pipelines/{id}/stages`, { body, ...createdUnder(id, options) })),
    updatePipelineStage: (id: number, stageId: number, body: BodyOf<'updatePipelineStage'>) =>
      dataOf(http.PUT(`${base}/pipelines/{id}/stages/{stageId}`, { body, ...stage(id, stageId) })),
    deletePipelineStage: (id: number, stageId: number) =>
      dataOf(http.DELETE(`${base}/pipelines/{id}/stages/{stageId}`, stage(id, stageId))),
  };
}

function settingsApi(http: Http) {
  return {
    getTrackerSettings: () => dataOf(http.GET(`${base}/settings`)),
    updateTrackerSettings: (body: BodyOf<'updateTrackerSettings'>) => dataOf(http.PUT(`${base}/settings`, { body })),
    createTrackerVacation: (body: BodyOf<'createTrackerVacation'>, options: CreateOptions = {}) =>
      dataOf(http.POST(`${base}/vacations`, { body, ...created(options) })),
    getTrackerVacations: (query: QueryOf<'getTrackerVacations'> = {}) =>
      dataOf(http.GET(`${base}/vacations`, { params: { query } })),
    deleteTrackerVacation: (id: number) => dataOf(http.DELETE(`${base}/vacations/{id}`, withId(id))),
  };
}
